-- SPDX-License-Identifier: GPL-2.0-or-later
-- Inserts, an index, joins, updates and sorted output in memory; rows.sh puts in the number of rows.
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, weight INTEGER);
CREATE TABLE kind(id INTEGER PRIMARY KEY, title TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < @ROWS@)
	INSERT INTO item SELECT i, i * 7919 % 97, printf('name-%07d', i * 104729 % 1000003), i * 31 % 1009 FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 96)
	INSERT INTO kind SELECT i, 'kind ' || i FROM n;
COMMIT;
CREATE INDEX item_name ON item(name);
SELECT kind.title, count(*), sum(weight), min(name), max(name)
	FROM item JOIN kind ON item.kind = kind.id GROUP BY kind.id ORDER BY 3, 1;
SELECT count(*) FROM item WHERE name LIKE '%77%';
UPDATE item SET weight = weight + 1 WHERE name BETWEEN 'name-0200000' AND 'name-0400000';
DELETE FROM item WHERE kind % 10 = 3;
SELECT a.name, b.name FROM item a JOIN item b ON b.id = a.id + 1 WHERE a.weight > b.weight
	ORDER BY a.name DESC LIMIT 20;
SELECT count(*), sum(weight), avg(length(name)) FROM item;
PRAGMA integrity_check;
