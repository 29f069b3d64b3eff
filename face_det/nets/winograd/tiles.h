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

/* products (ROWS, width of outputs) = values (ROWS, inputs; a row begins step floats behind the one before)
 * x filters (inputs, VECTORS * LANES), added to what is there if `more`: all sums stay in registers. */
#define PRODUCT(KIND, ROWS, VECTORS)                                                                          \
    static void NAME(KIND##_##VECTORS)(const float *values, size_t step, const float *filters,               \
                                       float *products, size_t inputs, size_t outputs, int more)              \
    {                                                                                                         \
        vec sums[ROWS][VECTORS];                                                                              \
        for (int row = 0; row < ROWS; row++)                                                                  \
            for (int column = 0; column < VECTORS; column++)                                                  \
                sums[row][column] = more ? seen(products + row * outputs + column * LANES) : (vec){0};        \
        for (size_t input = 0; input < inputs; input++) {                                                     \
            vec weights[VECTORS];                                                                             \
            for (int column = 0; column < VECTORS; column++)                                                  \
                weights[column] = seen(filters + (input * VECTORS + column) * LANES);                         \
            _Pragma("GCC unroll 16") for (int row = 0; row < ROWS; row++)                                     \
            {                                                                                                 \
                vec value = values[row * step + input] - (vec){0};                                            \
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
PRODUCT(product, 4, 3)
PRODUCT(product, 6, 2)
#else
PRODUCT(product, 8, 3)
PRODUCT(product, 6, 4)
PRODUCT(product, 12, 2)
PRODUCT(single, 1, 4)
#endif
PRODUCT(single, 1, 3)
PRODUCT(single, 1, 2)

typedef void NAME(multiply)(const float *, size_t, const float *, float *, size_t, size_t, int);

/* The product for a layer's groups, how many rows it takes, and the same for a single row. */
static NAME(multiply) *NAME(product)(const struct convolution *c, int *rows, NAME(multiply) **single)
{
    switch (c->group / LANES) {
    case 3:
        *single = NAME(single_3);
        *rows = LANES == 8 ? 4 : 8;
        return NAME(product_3);
#if LANES != 8
    case 4:
        *single = NAME(single_4);
        *rows = 6;
        return NAME(product_4);
#endif
    default:
        *single = NAME(single_2);
        *rows = LANES == 8 ? 6 : 12;
        return NAME(product_2);
    }
}

static void NAME(products)(const float *values, const float *filters, float *products, const struct convolution *c,
                           size_t inputs, int tiles)
{
    size_t outputs = (size_t)c->outputs, group = (size_t)c->group;
    int rows;
    NAME(multiply) * single, *product = NAME(product)(c, &rows, &single);
    for (size_t first = 0; first < outputs; first += group)
        for (int tile = 0; tile < tiles; tile += rows)
            product(values + (size_t)tile * inputs, inputs, filters + first * inputs,
                    products + (size_t)tile * outputs + first, inputs, outputs, 0);
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
    int step;
    NAME(multiply) * single;
    NAME(product)(c, &step, &single);
    float *values = scratch, *products = scratch + (size_t)(points * points) * TILES * channels;
    for (int begin = first; begin < last; begin += TILES) {
        int count = last - begin < TILES ? last - begin : TILES;
        for (int tile = 0; tile < count; tile++) {
            int at_image = (begin + tile) / (down * across), in_image = (begin + tile) % (down * across);
            NAME(take)(maps + (size_t)at_image * map, values + (size_t)tile * channels, c,
                       in_image / across * 4 - c->padding, in_image % across * 4 - c->padding, points);
        }
        /* Rows of no tile are multiplied too, where the last are not enough to fill the registers. */
        int rows = (count + step - 1) / step * step;
        for (int point = 0; point < points * points; point++)
            memset(values + ((size_t)point * TILES + (size_t)count) * channels, 0,
                   (size_t)(rows - count) * channels * sizeof *values);
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

/* 3 x 3 filters with stride 2, rows `first` to last - 1 of all images' results: Winograd's filtering would save
 * nothing. Three neighbours lie side by side in the map, so that each of their rows is one product. */
static void NAME(rows)(const struct convolution *c, const float *maps, const float *residuals, float *results,
                       int first, int last)
{
    size_t inputs = (size_t)c->inputs, outputs = (size_t)c->outputs, group = (size_t)c->group;
    size_t columns = (size_t)c->columns, wide = (size_t)c->out_columns;
    int rows;
    NAME(multiply) * single, *product = NAME(product)(c, &rows, &single);
    for (int row = first; row < last; row++) {
        const float *map = maps + ((size_t)(row / c->out_rows * c->rows + row % c->out_rows * 2)) * columns * inputs;
        float *result = results + (size_t)row * wide * outputs;
        for (size_t some = 0; some < outputs; some += group)
            for (size_t column = 0; column < wide; column += (size_t)rows) {
                /* The last ones once more, rather than fewer at once. */
                int few = wide < (size_t)rows;
                size_t start = few || column + (size_t)rows <= wide ? column : wide - (size_t)rows;
                for (size_t end = few ? wide : start + 1; start < end; start++)
                    for (size_t tap = 0; tap < 3; tap++)
                        (few ? single : product)(map + (tap * columns + 2 * start) * inputs, 2 * inputs,
                                                 c->filters + (some * 3 + tap * group) * 3 * inputs,
                                                 result + start * outputs + some, 3 * inputs, outputs, tap > 0);
            }
        for (size_t place = 0; place < wide * outputs; place += LANES) {
            vec value = at(result + place) + seen(c->bias + place % outputs);
            if (residuals)
                value += seen(residuals + (size_t)row * wide * outputs + place);
            if (c->relu)
                value = (vec)((NAME(mask))value & (value > (vec){0}));
            at(result + place) = value;
        }
    }
}

static void NAME(convolve)(const struct convolution *c, const float *maps, const float *residuals, float *results,
                           int first, int last, float *scratch)
{
    /* Twice, so that the compiler knows the points and unrolls all of it. */
    if (c->points == 0)
        NAME(rows)(c, maps, residuals, results, first, last);
    else if (c->points == 8)
        NAME(tiles)(c, maps, residuals, results, first, last, scratch, 8);
    else
        NAME(tiles)(c, maps, residuals, results, first, last, scratch, 6);
}

#undef PRODUCT
#undef seen
#undef at
#undef vec
