/* The code of winograd.c for one width of vectors. Included once for each, with LANES (floats in a
 * vector) and NAME(x) (x with the width behind it) defined, under that width's target options. */

typedef float NAME(vector) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int NAME(mask) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define vec NAME(vector)
#define at(pointer) (*(vec *)(pointer))
#define seen(pointer) (*(const vec *)(pointer))

/* One row or column of a tile, d0..d(n-1), seen through the rows of B: the coefficients of the product
 * of x - p over all points p but one, and of all. Points +p and -p share their even and odd terms. */
static inline __attribute__((always_inline)) void NAME(enter)(const vec *d, vec *v, ptrdiff_t step, int points)
{
    if (points == 8) { /* 0, +-1, +-2, +-1/2, infinity */
        vec even1 = d[6] - 4.25f * d[4] + d[2], odd1 = d[5] - 4.25f * d[3] + d[1];
        vec even2 = d[6] - 1.25f * d[4] + .25f * d[2], odd2 = 2.f * d[5] - 2.5f * d[3] + .5f * d[1];
        vec even3 = d[6] - 5.f * d[4] + 4.f * d[2], odd3 = .5f * d[5] - 2.5f * d[3] + 2.f * d[1];
        v[0] = d[6] - d[0] + 5.25f * (d[2] - d[4]);
        v[1 * step] = even1 + odd1;
        v[2 * step] = even1 - odd1;
        v[3 * step] = even2 + odd2;
        v[4 * step] = even2 - odd2;
        v[5 * step] = even3 + odd3;
        v[6 * step] = even3 - odd3;
        v[7 * step] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
    } else { /* 0, +-1, +-2, infinity */
        vec even1 = d[4] - 4.f * d[2], odd1 = d[3] - 4.f * d[1];
        vec even2 = d[4] - d[2], odd2 = 2.f * (d[3] - d[1]);
        v[0] = d[4] - 5.f * d[2] + 4.f * d[0];
        v[1 * step] = even1 + odd1;
        v[2 * step] = even1 - odd1;
        v[3 * step] = even2 + odd2;
        v[4 * step] = even2 - odd2;
        v[5 * step] = d[5] - 5.f * d[3] + 4.f * d[1];
    }
}

/* The way back, through the rows of A: p^0, p^1, p^2 and p^3 of each point, infinity for the last. */
static inline __attribute__((always_inline)) void NAME(leave)(const vec *m, vec *y, ptrdiff_t step, int points)
{
    vec sum1 = m[1] + m[2], rest1 = m[1] - m[2];
    vec sum2 = m[3] + m[4], rest2 = m[3] - m[4];
    if (points == 8) {
        vec sum3 = m[5] + m[6], rest3 = m[5] - m[6];
        y[0] = m[0] + sum1 + sum2 + sum3;
        y[1 * step] = rest1 + 2.f * rest2 + .5f * rest3;
        y[2 * step] = sum1 + 4.f * sum2 + .25f * sum3;
        y[3 * step] = rest1 + 8.f * rest2 + .125f * rest3 + m[7];
    } else {
        y[0] = m[0] + sum1 + sum2;
        y[1 * step] = rest1 + 2.f * rest2;
        y[2 * step] = sum1 + 4.f * sum2;
        y[3 * step] = rest1 + 8.f * rest2 + m[5];
    }
}

/* products (ROWS, width of outputs) = values (ROWS, inputs) x filters (inputs, VECTORS * LANES): all sums
 * stay in registers. */
#define PRODUCT(ROWS, VECTORS)                                                                                \
    static void NAME(product_##VECTORS)(const float *values, const float *filters, float *products,          \
                                        size_t inputs, size_t outputs)                                        \
    {                                                                                                         \
        vec sums[ROWS][VECTORS];                                                                              \
        for (int row = 0; row < ROWS; row++)                                                                  \
            for (int column = 0; column < VECTORS; column++)                                                  \
                sums[row][column] = (vec){0};                                                                 \
        for (size_t input = 0; input < inputs; input++) {                                                     \
            vec weights[VECTORS];                                                                             \
            for (int column = 0; column < VECTORS; column++)                                                  \
                weights[column] = seen(filters + (input * VECTORS + column) * LANES);                         \
            _Pragma("GCC unroll 16") for (int row = 0; row < ROWS; row++)                                     \
            {                                                                                                 \
                vec value = values[row * inputs + input] - (vec){0};                                          \
                for (int column = 0; column < VECTORS; column++)                                              \
                    sums[row][column] += value * weights[column];                                             \
            }                                                                                                 \
        }                                                                                                     \
        for (int row = 0; row < ROWS; row++)                                                                  \
            for (int column = 0; column < VECTORS; column++)                                                  \
                at(products + row * outputs + column * LANES) = sums[row][column];                            \
    }

/* As many sums as there are registers, all but a few: 32 of them, or AVX2's 16. */
#if LANES == 8
PRODUCT(4, 3)
PRODUCT(6, 2)
#define ROWS_OF_3 4
#else
PRODUCT(8, 3)
PRODUCT(6, 4)
PRODUCT(12, 2)
#define ROWS_OF_3 8
#endif

static void NAME(products)(const float *values, const float *filters, float *products, const struct convolution *c,
                           size_t inputs, int tiles)
{
    size_t outputs = (size_t)c->outputs, group = (size_t)c->group;
    for (size_t first = 0; first < outputs; first += group) {
        const float *some = filters + first * inputs;
        float *to = products + first;
        if (group == 3 * LANES)
            for (int tile = 0; tile < tiles; tile += ROWS_OF_3)
                NAME(product_3)(values + tile * inputs, some, to + tile * outputs, inputs, outputs);
#if LANES == 8
        else
            for (int tile = 0; tile < tiles; tile += 6)
                NAME(product_2)(values + tile * inputs, some, to + tile * outputs, inputs, outputs);
#else
        else if (group == 4 * LANES)
            for (int tile = 0; tile < tiles; tile += 6)
                NAME(product_4)(values + tile * inputs, some, to + tile * outputs, inputs, outputs);
        else
            for (int tile = 0; tile < tiles; tile += 12)
                NAME(product_2)(values + tile * inputs, some, to + tile * outputs, inputs, outputs);
#endif
    }
}

/* One tile's window of the map, as the convolution's phases see it, into values[point][tile][channel].
 * With stride 2 there are four phases: even and odd rows, even and odd columns. */
static inline __attribute__((always_inline)) void NAME(take)(const float *map, float *values, const struct convolution *c,
                                                              int top, int left, int points)
{
    int stride = c->stride;
    size_t inputs = (size_t)c->inputs, channels = inputs * (size_t)(stride * stride);
    int inside = top >= 0 && left >= 0 && stride * (top + points) <= c->rows && stride * (left + points) <= c->columns;
    for (int phase = 0; phase < stride * stride; phase++) {
        int down = stride * top + phase / stride, across = stride * left + phase % stride;
        for (size_t channel = 0; channel < inputs; channel += LANES) {
            vec half[64];
            for (int row = 0; row < points; row++) {
                vec line[8];
                int y = down + row * stride;
                for (int column = 0; column < points; column++) {
                    int x = across + column * stride;
                    if (inside || (y >= 0 && y < c->rows && x >= 0 && x < c->columns))
                        line[column] = seen(map + ((size_t)y * (size_t)c->columns + (size_t)x) * inputs + channel);
                    else
                        line[column] = (vec){0};
                }
                NAME(enter)(line, half + row, points, points);
            }
            for (int column = 0; column < points; column++) {
                vec whole[8];
                NAME(enter)(half + column * points, whole, 1, points);
                for (int row = 0; row < points; row++)
                    at(values + (size_t)(row * points + column) * TILES * channels + (size_t)phase * inputs + channel) =
                        whole[row];
            }
        }
    }
}

/* One tile's 4 x 4 outputs out of products[point][tile][channel], with bias, residual and ReLU. */
static inline __attribute__((always_inline)) void NAME(give)(const float *products, const float *residual, float *result,
                                                              const struct convolution *c, int top, int left, int points)
{
    size_t outputs = (size_t)c->outputs;
    int rows = c->out_rows - top < 4 ? c->out_rows - top : 4;
    int columns = c->out_columns - left < 4 ? c->out_columns - left : 4;
    for (size_t channel = 0; channel < outputs; channel += LANES) {
        vec half[32], bias = seen(c->bias + channel);
        for (int column = 0; column < points; column++) {
            vec line[8];
            for (int row = 0; row < points; row++)
                line[row] = seen(products + (size_t)(row * points + column) * TILES * outputs + channel);
            NAME(leave)(line, half + column, points, points);
        }
        for (int row = 0; row < rows; row++) {
            vec line[4];
            NAME(leave)(half + row * points, line, 1, points);
            for (int column = 0; column < columns; column++) {
                size_t place =
                    ((size_t)(top + row) * (size_t)c->out_columns + (size_t)(left + column)) * outputs + channel;
                vec value = line[column] + bias;
                if (residual)
                    value += seen(residual + place);
                if (c->relu)
                    value = (vec)((NAME(mask))value & (value > (vec){0}));
                at(result + place) = value;
            }
        }
    }
}

static inline __attribute__((always_inline)) void NAME(tiles)(const struct convolution *c, const float *maps,
                                                               const float *residuals, float *results, int first,
                                                               int last, float *scratch, int points)
{
    int down = (c->out_rows + 3) / 4, across = (c->out_columns + 3) / 4;
    size_t channels = (size_t)(c->inputs * c->stride * c->stride), outputs = (size_t)c->outputs;
    size_t map = (size_t)c->rows * (size_t)c->columns * (size_t)c->inputs;
    size_t result = (size_t)c->out_rows * (size_t)c->out_columns * outputs;
    float *values = scratch, *products = scratch + (size_t)(points * points) * TILES * channels;
    /* Rows of no tile are multiplied too, where the last are not enough to fill the registers. */
    memset(values, 0, (size_t)(points * points) * TILES * channels * sizeof *values);
    for (int begin = first; begin < last; begin += TILES) {
        int count = last - begin < TILES ? last - begin : TILES;
        for (int tile = 0; tile < count; tile++) {
            int at_image = (begin + tile) / (down * across), in_image = (begin + tile) % (down * across);
            NAME(take)(maps + (size_t)at_image * map, values + (size_t)tile * channels, c,
                       in_image / across * 4 - c->padding, in_image % across * 4 - c->padding, points);
        }
        for (int point = 0; point < points * points; point++)
            NAME(products)(values + (size_t)point * TILES * channels, c->filters + (size_t)point * channels * outputs,
                           products + (size_t)point * TILES * outputs, c, channels, count);
        for (int tile = 0; tile < count; tile++) {
            int at_image = (begin + tile) / (down * across), in_image = (begin + tile) % (down * across);
            NAME(give)(products + (size_t)tile * outputs, residuals ? residuals + (size_t)at_image * result : 0,
                       results + (size_t)at_image * result, c, in_image / across * 4, in_image % across * 4, points);
        }
    }
}

static void NAME(convolve)(const struct convolution *c, const float *maps, const float *residuals, float *results,
                           int first, int last, float *scratch)
{
    /* Twice, so that the compiler knows the points and unrolls all of it. */
    if (c->points == 8)
        NAME(tiles)(c, maps, residuals, results, first, last, scratch, 8);
    else
        NAME(tiles)(c, maps, residuals, results, first, last, scratch, 6);
}

#undef ROWS_OF_3
#undef PRODUCT
#undef seen
#undef at
#undef vec
