#include "model.h"

#include <math.h>
#include <stdio.h>

#define TOLERANCE 1e-5 /* of numbers up to 1; of larger ones, relative */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static model_arena arena;
static double largest;
static int failed;

static void compare(const char *what, size_t number, double got, double expected) {
    if (got == expected || (got != got && expected != expected)) return;
    double size = fabs(expected) > 1 ? fabs(expected) : 1;
    double apart = fabs(got - expected) / size;
    if (apart > largest) largest = apart;
    if (apart <= TOLERANCE) return;
    if (++failed <= 10) printf("%s, number %lu: %.9g, but it should be %.9g\n", what, (unsigned long)number, got, expected);
}
