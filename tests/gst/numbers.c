/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the numbers of pictures, counted and after a seek, without an element. */
#include "suite.h"

#include "gstrvosnumbers.h"

#define MS(n) ((GstClockTime)(n)*GST_MSECOND)
#define UNKNOWN GST_RVOS_NUMBER_UNKNOWN

static guint64 picture(GstRvosNumbers *n, GstClockTime time)
{
    return gst_rvos_numbers_picture(n, time, 10, 1);
}

/* Time stamps do not matter. */
SUITE_TEST(test_count)
{
    static const GstClockTime times[] = {MS(2000), MS(2100), MS(2900),
                                         GST_CLOCK_TIME_NONE, MS(100)};
    GstRvosNumbers n;

    gst_rvos_numbers_open(&n, 3);
    for (guint i = 0; i < G_N_ELEMENTS(times); i++)
        fail_unless_equals_uint64(picture(&n, times[i]), i);
    gst_rvos_numbers_close(&n);
}
GST_END_TEST;

/* A constant rate tells the number of a picture that was never seen. */
SUITE_TEST(test_constant_rate)
{
    GstRvosNumbers n;

    gst_rvos_numbers_open(&n, 100);
    for (guint i = 0; i < 5; i++)
        fail_unless_equals_uint64(picture(&n, MS(900 + 100 * i)), i);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(900 + 4000 + 3)), 40); /* rounded */
    fail_unless_equals_uint64(picture(&n, MS(900 + 4100)), 41);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(1000)), 1);
    fail_unless_equals_uint64(picture(&n, MS(1100)), 2);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(2950)), UNKNOWN); /* between two */
    fail_unless_equals_uint64(picture(&n, MS(3050)), UNKNOWN);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(500)), UNKNOWN); /* before the first */
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, GST_CLOCK_TIME_NONE), UNKNOWN);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(900)), 0);
    gst_rvos_numbers_close(&n);
}
GST_END_TEST;

/* A variable rate does not, but a picture that was seen has a known number. */
SUITE_TEST(test_variable_rate)
{
    static const guint times[] = {0, 100, 200, 700, 1200, 1700};
    GstRvosNumbers n;

    gst_rvos_numbers_open(&n, 100);
    for (guint i = 0; i < G_N_ELEMENTS(times); i++)
        fail_unless_equals_uint64(picture(&n, MS(times[i])), i);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(700)), 3);
    fail_unless_equals_uint64(picture(&n, MS(1200)), 4);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(5000)), UNKNOWN);
    fail_unless_equals_uint64(picture(&n, MS(5100)), UNKNOWN);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(1700)), 5);
    fail_unless_equals_uint64(picture(&n, MS(9000)), 6); /* counted on */
    gst_rvos_numbers_close(&n);
}
GST_END_TEST;

/* If the rate turns out to be variable after a seek, the number becomes unknown. */
SUITE_TEST(test_wrong_guess)
{
    GstRvosNumbers n;

    gst_rvos_numbers_open(&n, 100);
    fail_unless_equals_uint64(picture(&n, 0), 0);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(picture(&n, MS(3000)), 30);
    fail_unless_equals_uint64(picture(&n, MS(3100)), 31);
    fail_unless_equals_uint64(picture(&n, MS(3600)), UNKNOWN);
    fail_unless_equals_uint64(picture(&n, MS(3700)), UNKNOWN);
    gst_rvos_numbers_close(&n);
}
GST_END_TEST;

SUITE_TEST(test_backward)
{
    GstRvosNumbers n;

    gst_rvos_numbers_open(&n, 100);
    for (guint i = 0; i < 5; i++)
        fail_unless_equals_uint64(picture(&n, MS(100 * i)), i);
    n.backward = TRUE;
    gst_rvos_numbers_jump(&n);
    for (guint i = 5; i-- > 0;)
        fail_unless_equals_uint64(picture(&n, MS(100 * i)), i);
    gst_rvos_numbers_close(&n);
}
GST_END_TEST;

/* Without a frame rate, and before the first picture. */
SUITE_TEST(test_no_rate)
{
    GstRvosNumbers n;

    gst_rvos_numbers_open(&n, 1);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(gst_rvos_numbers_picture(&n, MS(500), 0, 1), 0);
    fail_unless_equals_uint64(gst_rvos_numbers_picture(&n, MS(600), 0, 1), 1);
    fail_unless_equals_uint64(gst_rvos_numbers_picture(&n, MS(700), 0, 1), 2);
    fail_unless_equals_int(n.times->len, 2); /* more is not wanted */
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(gst_rvos_numbers_picture(&n, MS(600), 0, 1), 1);
    gst_rvos_numbers_jump(&n);
    fail_unless_equals_uint64(gst_rvos_numbers_picture(&n, MS(700), 0, 1), UNKNOWN);
    gst_rvos_numbers_close(&n);
}
GST_END_TEST;

SUITE_MAIN("numbers", 0, NULL, NULL)
