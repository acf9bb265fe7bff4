/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* suite.h - a test program, whose tests register themselves, in the order of the file:
 *
 *     SUITE_TEST(test_this) { ... } GST_END_TEST;
 *     SUITE_MAIN("name", 0, before, after)
 *
 * So a test that is written runs.
 */
#ifndef SUITE_H
#define SUITE_H

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

static void (*suite_tests[64])(TCase *tc) G_GNUC_UNUSED;
static guint suite_lines[64] G_GNUC_UNUSED, suite_n G_GNUC_UNUSED;

/* Runs n times, with __i__ from 0. The test's body follows. Constructors may run in any
 * order, so a test is put where its line belongs. */
#define SUITE_LOOP(test, n)                                                              \
    static void test(int);                                                               \
    static void test##_add(TCase *tc)                                                    \
    {                                                                                    \
        tcase_add_loop_test(tc, test, 0, (gint)(n));                                     \
    }                                                                                    \
    __attribute__((constructor)) static void test##_register(void)                       \
    {                                                                                    \
        guint i = suite_n++;                                                             \
                                                                                         \
        for (; i > 0 && suite_lines[i - 1] > __LINE__; i--) {                            \
            suite_lines[i] = suite_lines[i - 1];                                         \
            suite_tests[i] = suite_tests[i - 1];                                         \
        }                                                                                \
        suite_lines[i] = __LINE__;                                                       \
        suite_tests[i] = test##_add;                                                     \
    }                                                                                    \
    GST_START_TEST(test)
#define SUITE_TEST(test) SUITE_LOOP(test, 1)

/* `seconds` is the limit of a test (0: the default). `before` and `after` run around each
 * test; they may be NULL. */
#define SUITE_MAIN(name, seconds, before, after)                                         \
    int main(int argc, char **argv)                                                      \
    {                                                                                    \
        Suite *s;                                                                        \
        TCase *tc;                                                                       \
                                                                                         \
        gst_check_init(&argc, &argv);                                                    \
        s = suite_create(name);                                                          \
        tc = tcase_create("general");                                                    \
        suite_add_tcase(s, tc);                                                          \
        if ((seconds) > 0)                                                               \
            tcase_set_timeout(tc, seconds);                                              \
        tcase_add_checked_fixture(tc, before, after);                                    \
        for (guint i = 0; i < suite_n; i++)                                              \
            suite_tests[i](tc);                                                          \
        return gst_check_run_suite(s, name, __FILE__);                                   \
    }

/* Flushes, and begins a segment from 0. */
G_GNUC_UNUSED static void suite_flush(GstHarness *h)
{
    GstSegment segment;

    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
}

/* Waits for the end of a pipeline's stream; an error, or no end in that time, is a fault.
 */
G_GNUC_UNUSED static void suite_wait_for_eos(GstElement *bin, guint seconds)
{
    GstBus *bus = gst_element_get_bus(bin);
    GstMessage *message = gst_bus_timed_pop_filtered(bus, seconds * GST_SECOND,
                                                     GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

    fail_unless(message != NULL, "nothing happens");
    fail_unless(GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS, "%" GST_PTR_FORMAT,
                (void *)message);
    gst_message_unref(message);
    gst_object_unref(bus);
}

#endif
