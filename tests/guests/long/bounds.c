#include "tests/guests/lib/long/irq.h"
int main(void) { return 0; }
