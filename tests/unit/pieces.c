/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pieces.c - compares connected pieces, overlaps and grown masks with drawings and with
 * brute force. */
#include <string.h>

#include "../test.h"
#include "pieces.h"

static void drawing(void)
{
    static const char *const rows = "11.2...1"
                                    "1..2.22."
                                    "..1..2..";
    uint8_t labels[24];
    struct rv_pieces p;

    for (int i = 0; i < 24; i++)
        labels[i] = (uint8_t)(rows[i] == '.' ? 0 : rows[i] - '0');
    CHECK(rv_pieces_init(&p, 8, 3) == 0);
    rv_pieces_find(&p, labels, false, 1);
    CHECK(p.count == 3); /* corners touch */
    CHECK(p.piece[1].area == 4 && p.piece[1].label == 1);
    CHECK(p.piece[1].x0 == 5 && p.piece[1].x1 == 8 && p.piece[1].y0 == 0 &&
          p.piece[1].y1 == 3);
    CHECK(p.piece[2].area == 3 && p.of[0] == 2 && p.of[8] == 2);
    CHECK(p.piece[3].area == 3 && p.of[3] == 3 && p.of[18] == 3);
    CHECK(p.of[2] == 0);
    rv_pieces_find(&p, labels, true, 2);
    CHECK(p.count == 3 && p.piece[1].label == 1 && p.piece[1].area == 3);
    CHECK(p.piece[2].label == 2 && p.piece[2].area == 3 && p.of[21] == 2);
    CHECK(p.piece[3].area == 2 && p.of[7] == 0 && p.of[18] == 0);
    rv_pieces_finish(&p);
}

enum { W = 37, H = 23, N = W * H };

/* The smallest index within reach of each pixel, by flooding until nothing changes. */
static void flood(const uint8_t *labels, bool by_label, int first[N])
{
    bool more = true;

    for (int i = 0; i < N; i++)
        first[i] = i;
    while (more) {
        more = false;
        for (int i = 0; i < N; i++)
            for (int d = 0; d < 9 && labels[i]; d++) {
                int x = i % W + d % 3 - 1, y = i / W + d / 3 - 1, n = y * W + x;

                if (x < 0 || y < 0 || x >= W || y >= H || !labels[n] ||
                    (by_label && labels[n] != labels[i]) || first[n] >= first[i])
                    continue;
                first[i] = first[n];
                more = true;
            }
    }
}

static void random_maps(void)
{
    uint64_t seed = 5;
    static uint8_t labels[N];
    static int first[N];
    struct rv_pieces p;

    CHECK(rv_pieces_init(&p, W, H) == 0);
    for (int round = 0; round < 60; round++) {
        bool by_label = round & 1;
        int least = 1 + round % 5, dense = 2 + round % 4, pieces = 0;

        for (int i = 0; i < N; i++)
            labels[i] = (uint8_t)(test_random_int(&seed, 0, 9) < dense
                                      ? test_random_int(&seed, 1, 3)
                                      : 0);
        rv_pieces_find(&p, labels, by_label, least);
        flood(labels, by_label, first);
        for (int i = 0; i < N; i++) {
            int area = 0;

            for (int k = 0; k < N && labels[i]; k++)
                area += labels[k] && first[k] == first[i];
            if (labels[i] && first[i] == i && area >= least)
                pieces++;
            if (!labels[i] || area < least)
                CHECK(p.of[i] == 0);
            else if (p.of[i])
                CHECK(p.of[i] == p.of[first[i]] && p.piece[p.of[i]].area == area);
            else
                CHECK(p.count == RV_MAX_PIECES && area <= p.piece[p.count].area);
        }
        CHECK(p.count == (pieces < RV_MAX_PIECES ? pieces : RV_MAX_PIECES));
        for (int k = 2; k <= p.count; k++)
            CHECK(p.piece[k].area <= p.piece[k - 1].area);
    }
    rv_pieces_finish(&p);
}

static void grown(void)
{
    static uint8_t in[N], out[N], scratch[N];
    uint64_t seed = 9;

    for (int radius = 0; radius < 4; radius++) {
        for (int i = 0; i < N; i++)
            in[i] = test_random_int(&seed, 0, 60) == 0;
        rv_grow(in, out, scratch, W, H, radius);
        for (int i = 0; i < N; i++) {
            int near = 0;

            for (int k = 0; k < N; k++)
                near |=
                    in[k] && abs(k % W - i % W) <= radius && abs(k / W - i / W) <= radius;
            CHECK(out[i] == near);
        }
    }
}

static void overlaps(void)
{
    static int table[RV_OVERLAP_LABELS][RV_OVERLAP_LABELS];
    const uint8_t a[6] = {0, 1, 1, 63, 0, 1}, b[6] = {2, 2, 2, 0, 0, 5};

    rv_overlaps(a, b, 6, table);
    CHECK(table[0][2] == 1 && table[1][2] == 2 && table[63][0] == 1 && table[0][0] == 1 &&
          table[1][5] == 1 && table[1][0] == 0);
}

int main(void)
{
    drawing();
    random_maps();
    grown();
    overlaps();
    return test_done();
}
