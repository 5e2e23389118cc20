/* What a Cortex-M begins with: the stack, then the handler that runs after a reset. The rest is newlib's, whose
   printf and exit reach the machine that emulates this one (semihosting). */
#include <stdint.h>

extern uint32_t stack_top;
extern void _start(void);

static void stop(void) {
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)&stack_top, (uintptr_t)_start, (uintptr_t)stop, (uintptr_t)stop,
};
