/* Convolutions by Winograd's minimal filtering: tiles of 4 x 4 outputs, with 6 x 6 products of each pair of
 * channels where 3 x 3 filters need 144, and 8 x 8 where 5 x 5 filters need 400. See convolution.py, which
 * prepares the filters and is the only caller; the sizes it gives are taken on trust.
 *
 * S. Winograd, Arithmetic Complexity of Computations (1980); A. Lavin and S. Gray, Fast Algorithms for
 * Convolutional Neural Networks (2016).
 *
 * Nothing of Python is needed to compile it, and nothing beyond the C library to load it.
 */

#include <stddef.h>
#include <string.h>

/* What kernels.py compares before it calls anything else. */
#define FACE_DET_VERSION 1

/* Tiles worked on together: what they need stays in the second-level cache. A multiple of all numbers of
 * rows that a product takes. */
#define TILES 24

/* One layer. Maps are [image][row][column][channel]; channels are a multiple of 16. With stride 2 there is
 * no padding, and filters are those of four phases side by side. */
struct convolution {
    int points; /* 6 or 8, down and across; 0: 3 x 3 filters with stride 2, by the definition */
    int stride;
    int padding;
    int rows, columns, inputs;
    int out_rows, out_columns, outputs;
    int group; /* outputs whose filters lie together; outputs are a multiple of it */
    int relu;
    const float *filters; /* [point][outputs / group][input][group]; [outputs / group][row][column][input][group] */
    const float *bias;
};

#define JOINED(a, b) a##_##b
#define JOIN(a, b) JOINED(a, b)
#define NAME(x) JOIN(x, LANES)

/* Other compilers may not know these pragmas, and would make slow code of it without a word. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define COMPILED 1

#define LANES 16
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")
#include "tiles.h"
#pragma GCC pop_options
#undef LANES

#define LANES 8
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#include "tiles.h"
#pragma GCC pop_options
#undef LANES

/* Floats in the widest vector that this processor has; 0: none that is worth it. */
int face_det_lanes(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return 16;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 8 : 0;
}

#else

int face_det_lanes(void) { return 0; }

#endif

int face_det_version(void) { return FACE_DET_VERSION; }

int face_det_tiles(void) { return TILES; }

/* Tiles (or rows, without points) first to last - 1 of all images, counted row by row; residuals, added
 * before the ReLU, may be null. scratch holds points^2 * TILES * (inputs * stride^2 + outputs) floats.
 * 0, or -1 for lanes this is not compiled for. */
int face_det_convolve(int lanes, const struct convolution *c, const float *maps, const float *residuals,
                      float *results, int first, int last, float *scratch)
{
    switch (lanes) {
#if defined(COMPILED)
    case 16:
        convolve_16(c, maps, residuals, results, first, last, scratch);
        return 0;
    case 8:
        convolve_8(c, maps, residuals, results, first, last, scratch);
        return 0;
#endif
    default:
        return -1;
    }
}
