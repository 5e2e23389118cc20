/* model.h: training and inference of program. Made by dnnlang VERSION; `dnnc compile --emit c` writes it anew. */

/*
   The network is not trained: its weights are the initial ones. Numbers are of type float.

   Memory      36 bytes of constants (flash), 556 bytes of arena (RAM), beside the code
   Samples     up to 8 at a time, one behind the other: number i of sample s is x[s * units + i]
   Inputs      x: 2 numbers a sample
   Outputs     y: 1 number a sample
   Targets     target: 1 number a sample

   Nodes, with what each computes of a sample:
   X                           2  input 2
   layer[1]                    3  layer 3 relu
   layer[2]                    1  layer 1 sigmoid

   Parameters, statistics and state:
   W[1]                     3 x 2      from arena->numbers[MODEL_W_1] on
   b[1]                     3 x 1      from arena->numbers[MODEL_b_1] on
   W[2]                     1 x 3      from arena->numbers[MODEL_W_2] on
   b[2]                     1 x 1      from arena->numbers[MODEL_b_2] on
   v of W[1]                3 x 2      from arena->numbers[MODEL_v_W_1] on
   v of b[1]                3 x 1      from arena->numbers[MODEL_v_b_1] on
   v of W[2]                1 x 3      from arena->numbers[MODEL_v_W_2] on
   v of b[2]                1 x 1      from arena->numbers[MODEL_v_b_2] on

   Entry (i, j), counted from 0, of the tensor at MODEL_T is arena->numbers[MODEL_T + j * MODEL_ROW_T + i].
*/

#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

#define MODEL_FORMAT 1
#define MODEL_SAMPLES 8 /* the most in one call */
#define MODEL_RATE 0.1 /* the program's learning rate, before its schedule */

/* With -DDNN_VECTORS=BYTES, for all files, vectors of so many bytes are used, an extension of GCC and Clang;
   without it, nothing beyond C99. */
#if defined(DNN_VECTORS) && DNN_VECTORS == 32
#define MODEL_VECTORS 32
#define MODEL_FLASH_BYTES 160 /* of constants */
#define MODEL_ARENA_BYTES 832
#define MODEL_ARENA_ALIGNMENT 32
#define MODEL_W_1 0
#define MODEL_ROW_W_1 8
#define MODEL_b_1 16
#define MODEL_ROW_b_1 8
#define MODEL_W_2 24
#define MODEL_ROW_W_2 8
#define MODEL_b_2 48
#define MODEL_ROW_b_2 8
#define MODEL_v_W_1 56
#define MODEL_ROW_v_W_1 8
#define MODEL_v_b_1 72
#define MODEL_ROW_v_b_1 8
#define MODEL_v_W_2 80
#define MODEL_ROW_v_W_2 8
#define MODEL_v_b_2 104
#define MODEL_ROW_v_b_2 8
#elif defined(DNN_VECTORS) && DNN_VECTORS != 0
#error "DNN_VECTORS is 32 for this model"
#else
#define MODEL_VECTORS 0
#define MODEL_FLASH_BYTES 36 /* of constants */
#define MODEL_ARENA_BYTES 556
#define MODEL_ARENA_ALIGNMENT 4
#define MODEL_W_1 0
#define MODEL_ROW_W_1 3
#define MODEL_b_1 6
#define MODEL_ROW_b_1 3
#define MODEL_W_2 9
#define MODEL_ROW_W_2 1
#define MODEL_b_2 12
#define MODEL_ROW_b_2 1
#define MODEL_v_W_1 13
#define MODEL_ROW_v_W_1 3
#define MODEL_v_b_1 19
#define MODEL_ROW_v_b_1 3
#define MODEL_v_W_2 22
#define MODEL_ROW_v_W_2 1
#define MODEL_v_b_2 25
#define MODEL_ROW_v_b_2 1
#endif

/* All memory that a call uses beside the stack: yours to place, MODEL_ARENA_BYTES at a multiple of
   MODEL_ARENA_ALIGNMENT. Calls with different arenas may run at the same time. */
typedef struct {
#if MODEL_VECTORS
    __attribute__((aligned(MODEL_ARENA_ALIGNMENT)))
#endif
    float numbers[(MODEL_ARENA_BYTES - MODEL_ARENA_ALIGNMENT) / 4];
    uint32_t steps; /* updates so far */
} model_arena;

#ifdef __cplusplus
extern "C" {
#endif

/* Fills the arena with the initial weights; first of all. */
void model_init(model_arena *arena);

/* Computes the outputs of m samples.
   Returns 0; -1 if m is not 1 ... MODEL_SAMPLES. */
int model_forward(model_arena *arena, int m, const float *x, float *y);

/* One update by the optimizer of the program, from m samples and their targets: a class is 1 on
   its unit, 0 on the others. Returns J before the update; NaN, and changes nothing,
   if m is not 1 ... MODEL_SAMPLES. */
float model_step(model_arena *arena, int m, const float *x, const float *target, double rate);

#ifdef __cplusplus
}
#endif

#endif
