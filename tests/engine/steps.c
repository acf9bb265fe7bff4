/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps.c - compares each step, in plain C, in the fast kernels and by oneDNN, on random
 * shapes, with the definition in double. rvos-bench --steps times them in a frame. */
#include "steps_conv.h"
#include "steps_integers.h"

static const struct rv_kernels *const tables[] = {&rv_kernels_plain, &rv_kernels_fast};
static const char *const names[] = {"plain", "fast"};

/* ---- views --------------------------------------------------------------- */

/* A view of random values, in a slice of `room` more channels whose others are kept. */
static struct rv_view new_view(uint64_t *seed, int h, int w, int c, int room,
                               enum rv_type type, float range)
{
    struct rv_view m = {.h = h, .w = w, .c = c, .pitch = c + room, .type = type};
    size_t n = (size_t)h * w * m.pitch;
    float *values = random_floats(n, seed, -range, range);

    m.data = alloc(n);
    rv_store_row(m.data, values, type, n);
    free(values);
    return m;
}

static struct rv_view copy_view(const struct rv_view *m)
{
    struct rv_view copy = *m;
    size_t bytes = (size_t)m->h * m->w * m->pitch * rv_type_bytes(m->type);

    copy.data = alloc(bytes / 4 + 1);
    memcpy(copy.data, m->data, bytes);
    return copy;
}

static double value(const struct rv_view *m, int y, int x, int c)
{
    size_t at = ((size_t)y * m->w + x) * m->pitch + c;
    float v;

    if (!m->data)
        return 0;
    rv_load_row(&v, (char *)m->data + at * rv_type_bytes(m->type), m->type, 1);
    return v;
}

/* Bilinear, corners aligned; `to` pixels along an axis of `from`. */
static double upsampled(const struct rv_view *m, int y, int x, int c, int h, int w)
{
    double fy = h > 1 ? (double)y * (m->h - 1) / (h - 1) : 0,
           fx = w > 1 ? (double)x * (m->w - 1) / (w - 1) : 0;
    int y0 = (int)fy, x0 = (int)fx, y1 = y0 + (y0 + 1 < m->h), x1 = x0 + (x0 + 1 < m->w);

    fy -= y0;
    fx -= x0;
    return (1 - fy) * ((1 - fx) * value(m, y0, x0, c) + fx * value(m, y0, x1, c)) +
           fy * ((1 - fx) * value(m, y1, x0, c) + fx * value(m, y1, x1, c));
}

/* Channels of the slice's neighbours, and rows outside, are as they were. */
static void check_kept(const struct rv_view *now, const struct rv_view *before, int row0,
                       int row1)
{
    for (int y = 0; y < now->h; y++)
        for (int x = 0; x < now->w; x++)
            for (int c = y >= row0 && y < row1 ? now->c : 0; c < now->pitch; c++)
                if (!CHECK(value(now, y, x, c) == value(before, y, x, c)))
                    return;
}

/* ---- cell --------------------------------------------------------------- */

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

struct cell {
    struct rv_cell_views m;
    float *gates; /* of all rows; NULL: none */
    int room;
};

/* Some cells have more channels, or more pixels in a row, than the fast kernel computes
 * at a time. */
static struct cell new_cell(uint64_t *seed, int i, enum rv_type type)
{
    int h = test_random_int(seed, 1, i % 5 ? 12 : 2), w = test_random_int(seed, 1, 20),
        hid = i % 5   ? test_random_int(seed, 1, 20)
              : i % 2 ? test_random_int(seed, 500, 560)
                      : test_random_int(seed, 30, 90);
    struct cell c = {.m.h.c = hid, .room = test_random_int(seed, 0, 1)};
    unsigned have = (unsigned)test_random(seed);

    c.m.h = new_view(seed, h, w, hid, c.room, type, 1);
    c.m.c = new_view(seed, h, w, hid, 0, RV_F32, 1);
    if (have & 1)
        c.m.time = new_view(seed, h, w, 4 * hid, 0, RV_F32, 9);
    if (have & 2)
        c.m.skip = new_view(seed, h, w, 4 * hid, 0, RV_F32, 9);
    if (have & 4)
        c.m.c_left = new_view(seed, h, w, hid, 0, RV_F32, 3);
    if (have & 8)
        c.gates = random_floats((size_t)h * w * 4 * hid, seed, -9, 9);
    return c;
}

static void free_cell(struct cell *c)
{
    free(c->m.h.data);
    free(c->m.c.data);
    free(c->m.time.data);
    free(c->m.skip.data);
    free(c->m.c_left.data);
    free(c->gates);
}

static bool check_cell_pixel(const struct cell *c, int y, int x, int n)
{
    const struct rv_cell_views *m = &c->m;
    double gate[4], cell, h;

    for (int k = 0; k < 4; k++) {
        int channel = k * m->h.c + n;

        gate[k] = value(&m->time, y, x, channel) + value(&m->skip, y, x, channel);
        if (c->gates)
            gate[k] += c->gates[((size_t)y * m->h.w + x) * 4 * m->h.c + channel];
    }
    cell = logistic(gate[1]) * value(&m->c_left, y, x, n) +
           logistic(gate[0]) * tanh(gate[3]);
    h = logistic(gate[2]) * tanh(cell);
    return CHECK_NEAR(value(&m->c, y, x, n), cell, 4e-6) &&
           CHECK_NEAR(value(&m->h, y, x, n), h, m->h.type == RV_BF16 ? 1.0 / 256 : 4e-6);
}

static void cells(uint64_t *seed)
{
    for (int i = 0; i < 60; i++) {
        struct cell c = new_cell(seed, i, i % 3 == 2 ? RV_BF16 : RV_F32);
        int row0 = test_random_int(seed, 0, c.m.h.h - 1),
            row1 = test_random_int(seed, row0 + 1, c.m.h.h);
        size_t row = (size_t)c.m.h.w * 4 * c.m.h.c;

        for (int t = 0; t < 2; t++) {
            struct rv_view h = copy_view(&c.m.h), state = copy_view(&c.m.c);

            tables[t]->cell_update(&c.m, row0, row1,
                                   c.gates ? c.gates + row0 * row : NULL);
            check_kept(&c.m.h, &h, row0, row1);
            check_kept(&c.m.c, &state, row0, row1);
            for (int y = row0; y < row1; y++)
                for (int k = 0; k < c.m.h.w * c.m.h.c; k++)
                    if (!test_note(check_cell_pixel(&c, y, k / c.m.h.c, k % c.m.h.c),
                                   "cell, %s, case %d", names[t], i))
                        y = k = 1 << 30;
            free(h.data);
            free(state.data);
        }
        free_cell(&c);
    }
}

/* [ up(below) * mul | h_left ]; each part is optional. */
static void cell_inputs(uint64_t *seed)
{
    for (int i = 0; i < 100; i++) {
        enum rv_type type = i % 3 == 2 ? RV_BF16 : RV_F32;
        int h = test_random_int(seed, 1, 13), w = test_random_int(seed, 1, 17),
            up = i % 5 ? test_random_int(seed, 1, i % 2 ? 9 : 40) : 0,
            left = i % 4 ? test_random_int(seed, 1, i % 2 ? 7 : 40) : 0, n = up + left,
            row0 = test_random_int(seed, 0, h - 1),
            row1 = test_random_int(seed, row0 + 1, h);
        struct rv_cell_views m = {.input_channels = n};
        struct rv_view out = {.h = row1 - row0, .w = w, .c = n, .pitch = n, .type = type};
        float *line;

        if (!n)
            continue;
        m.h = new_view(seed, h, w, 3, 0, type, 1);
        if (up)
            m.below = new_view(seed, (h + 1) / 2, (w + 1) / 2, up, i % 2, type, 1);
        if (up && i % 7 < 3)
            m.mul = new_view(seed, h, w, up, 0, type, 2);
        if (left)
            m.h_left = new_view(seed, h, w, left, i % 2, type, 1);
        out.data = alloc((size_t)out.h * w * n);
        line = alloc(rv_cell_line(&m));
        rv_cell_input(&m, row0, row1, out.data, type, line);
        for (int y = row0; y < row1; y++)
            for (int k = 0; k < w * n; k++) {
                int x = k / n, c = k % n;
                double want = c < up ? upsampled(&m.below, y, x, c, h, w) *
                                           (m.mul.data ? value(&m.mul, y, x, c) : 1)
                                     : value(&m.h_left, y, x, c - up);

                if (!CHECK_NEAR(value(&out, y - row0, x, c), want,
                                type == RV_BF16 ? 1.0 / 128 : 1e-6))
                    y = k = 1 << 30;
            }
        free(m.h.data);
        free(m.below.data);
        free(m.mul.data);
        free(m.h_left.data);
        free(out.data);
        free(line);
    }
}

/* ---- pooling, masks ----------------------------------------------------- */

static void poolings(uint64_t *seed)
{
    static const int kind[][3] = {{2, 2, 0}, {3, 2, 1}, {2, 2, 0}}; /* size stride pad */

    for (int i = 0; i < 90; i++) {
        int size = kind[i % 3][0], stride = kind[i % 3][1], pad = kind[i % 3][2];
        enum rv_type type = i % 4 == 3 ? RV_BF16 : RV_F32;
        bool ceil = i % 3 == 0;
        /* Masks, pictures, and more channels than a piece has. */
        int c = i % 2 ? 1 : i % 10 ? test_random_int(seed, 1, 150) : 3;
        struct rv_view in = new_view(seed, test_random_int(seed, 2, 15),
                                     test_random_int(seed, 2, 15), c, i % 3, type, 5);
        int oh = (in.h + 2 * pad - size + (ceil ? stride - 1 : 0)) / stride + 1,
            ow = (in.w + 2 * pad - size + (ceil ? stride - 1 : 0)) / stride + 1;
        struct rv_view out = new_view(seed, oh, ow, c, i % 5, i % 8 == 1 ? RV_BF16 : type,
                                      5),
                       before = copy_view(&out);
        int row0 = test_random_int(seed, 0, oh - 1),
            row1 = test_random_int(seed, row0 + 1, oh);

        rv_maxpool(&in, &out, size, stride, pad, row0, row1);
        check_kept(&out, &before, row0, row1);
        for (int y = row0; y < row1; y++)
            for (int k = 0; k < ow * c; k++) {
                double most = -INFINITY;

                for (int r = y * stride - pad; r < y * stride - pad + size; r++)
                    for (int q = k / c * stride - pad; q < k / c * stride - pad + size;
                         q++)
                        if (r >= 0 && q >= 0 && r < in.h && q < in.w)
                            most = fmax(most, value(&in, r, q, k % c));
                if (!CHECK_NEAR(value(&out, y, k / c, k % c), most,
                                out.type != in.type ? 5.0 / 256 : 0))
                    y = k = 1 << 30;
            }
        free(in.data);
        free(out.data);
        free(before.data);
    }
}

static double mask_at(const struct rv_view *h, const float *kernel, double bias, int size,
                      int y, int x)
{
    double sum = bias;

    for (int t = 0; t < size * size; t++) {
        int iy = y + t / size - size / 2, ix = x + t % size - size / 2;

        for (int c = 0; c < h->c; c++)
            if (iy >= 0 && ix >= 0 && iy < 2 * h->h && ix < 2 * h->w)
                sum += upsampled(h, iy, ix, c, 2 * h->h, 2 * h->w) * kernel[t * h->c + c];
    }
    return sum;
}

static void masks(uint64_t *seed)
{
    for (int i = 0; i < 40; i++) {
        int size = i % 3 ? 3 : 1, c = test_random_int(seed, 1, 16);
        struct rv_view h = new_view(seed, test_random_int(seed, 1, 9),
                                    test_random_int(seed, 1, i % 5 ? 14 : 70), c, i % 2,
                                    i % 4 == 3 ? RV_BF16 : RV_F32, 1);
        float *kernel = random_floats((size_t)size * size * c, seed, -1, 1);
        int row0 = test_random_int(seed, 0, 2 * h.h - 1),
            row1 = test_random_int(seed, row0 + 1, 2 * h.h);
        float *out = alloc((size_t)2 * h.w * (row1 - row0)),
              *scratch = alloc(rv_mask_scratch(&h, size));

        for (int t = 0; t < 2; t++) {
            tables[t]->mask_half(&h, kernel, 0.5f, size, row0, row1, out, scratch);
            for (int k = 0; k < 2 * h.w * (row1 - row0); k++)
                if (!test_note(CHECK_NEAR(out[k],
                                          mask_at(&h, kernel, 0.5, size,
                                                  row0 + k / (2 * h.w), k % (2 * h.w)),
                                          1e-5),
                               "mask, %s, size %d", names[t], size))
                    break;
        }
        free(h.data);
        free(kernel);
        free(out);
        free(scratch);
    }
}

static void planes(uint64_t *seed)
{
    for (int i = 0; i < 60; i++) {
        int in = test_random_int(seed, 1, 40), n = test_random_int(seed, 1, 90);
        float *a = random_floats((size_t)in, seed, -3, 3),
              *b = random_floats((size_t)in, seed, -3, 3), *line = alloc((size_t)in),
              *out = alloc((size_t)n);
        float frac = test_random_float(seed, 0, 1);
        struct rv_axis axis;

        if (!CHECK(rv_axis_init(&axis, in, n) == 0))
            return;
        rv_upsample_plane_row(a, b, frac, &axis, line, out);
        for (int x = 0; x < n; x++) {
            double at = n > 1 ? (double)x * (in - 1) / (n - 1) : 0, f = at - (int)at;
            int x0 = (int)at, x1 = x0 + (x0 + 1 < in);

            CHECK_NEAR(out[x],
                       (1 - frac) * ((1 - f) * a[x0] + f * a[x1]) +
                           frac * ((1 - f) * b[x0] + f * b[x1]),
                       2e-6);
        }
        for (int t = 0; t < 2; t++) {
            for (int x = 0; x < in; x++)
                a[x] = x == 0 ? -200 : x == 1 ? 200 : 10 * a[x];
            tables[t]->sigmoid(a, line, (size_t)in);
            for (int x = 0; x < in; x++)
                CHECK_NEAR(line[x], logistic(a[x]), 1e-6);
        }
        rv_axis_finish(&axis);
        free(a);
        free(b);
        free(line);
        free(out);
    }
}

int main(void)
{
    uint64_t seed = 11;

    convolutions(&seed);
    for (int i = 0; i < 4; i++) { /* the best instruction set up to these */
        static const char *const sets[] = {"plain", "avx2", "avxvnni", "avx512"};

        setenv("RVOS_CPU_WINOGRAD", sets[i], 1);
        winograd_shapes();
        winograd(&seed);
        winograd_int16(&seed);
        patch_shapes();
        patches(&seed, 16);
        patches(&seed, 8);
    }
    unsetenv("RVOS_CPU_WINOGRAD");
    cells(&seed);
    cell_inputs(&seed);
    poolings(&seed);
    masks(&seed);
    planes(&seed);
    return test_done();
}
