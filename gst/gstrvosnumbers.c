/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosnumbers.h"

#include "gstrvostime.h"

void gst_rvos_numbers_open(GstRvosNumbers *numbers, guint64 last_wanted)
{
    *numbers = (GstRvosNumbers){
        .last_wanted = last_wanted,
        .times = g_array_new(FALSE, FALSE, sizeof(GstClockTime)),
        .regular = TRUE,
    };
}

void gst_rvos_numbers_close(GstRvosNumbers *numbers)
{
    g_clear_pointer(&numbers->times, g_array_unref);
}

void gst_rvos_numbers_jump(GstRvosNumbers *numbers)
{
    numbers->jumped = TRUE;
}

static GstClockTime time_at(const GstRvosNumbers *numbers, guint64 number)
{
    return number < numbers->times->len
               ? g_array_index(numbers->times, GstClockTime, number)
               : GST_CLOCK_TIME_NONE;
}

/* The time from one picture to the next at the caps' rate; 0: unknown. */
static GstClockTime period(const GstRvosNumbers *numbers)
{
    return numbers->fps_n > 0 ? gst_util_uint64_scale(GST_SECOND, (guint64)numbers->fps_d,
                                                      (guint64)numbers->fps_n)
                              : 0;
}

/* Whether a time is that of a known picture, up to rounding: within a quarter of the
 * distance to its neighbours, or of the frame rate's period. */
static gboolean is_near(const GstRvosNumbers *numbers, guint64 number, GstClockTime time)
{
    /* Before number 0 is none: its number overflows, which is above all. */
    const GstClockTime sides[] = {time_at(numbers, number - 1),
                                  time_at(numbers, number + 1)};
    GstClockTime own = time_at(numbers, number), gap = period(numbers);

    if (!GST_CLOCK_TIME_IS_VALID(own))
        return FALSE;
    if (gap == 0)
        gap = 4 * GST_MSECOND;
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++)
        if (GST_CLOCK_TIME_IS_VALID(sides[i]))
            gap = MIN(gap, gst_rvos_time_distance(own, sides[i]));
    return gst_rvos_time_distance(own, time) <= gap / 4;
}

/* The number of a time on the frame rate's grid. UNKNOWN: between two grid points, or
 * before the first picture. */
static guint64 on_grid(const GstRvosNumbers *numbers, GstClockTime time)
{
    GstClockTime first = time_at(numbers, 0), gap = period(numbers), point;
    guint64 number;

    if (gap == 0 || !GST_CLOCK_TIME_IS_VALID(time) || !GST_CLOCK_TIME_IS_VALID(first) ||
        time + gap / 3 < first)
        return GST_RVOS_NUMBER_UNKNOWN;
    number = time > first
                 ? gst_util_uint64_scale_round(time - first, (guint64)numbers->fps_n,
                                               (guint64)numbers->fps_d * GST_SECOND)
                 : 0;
    point = first + gst_util_uint64_scale(number, (guint64)numbers->fps_d * GST_SECOND,
                                          (guint64)numbers->fps_n);
    return gst_rvos_time_distance(point, time) <= gap / 3 ? number
                                                          : GST_RVOS_NUMBER_UNKNOWN;
}

static guint64 find(const GstRvosNumbers *numbers, GstClockTime time)
{
    if (!GST_CLOCK_TIME_IS_VALID(time))
        return GST_RVOS_NUMBER_UNKNOWN;
    for (guint64 i = 0; i < numbers->times->len; i++)
        if (is_near(numbers, i, time))
            return i;
    return numbers->regular ? on_grid(numbers, time) : GST_RVOS_NUMBER_UNKNOWN;
}

static guint64 number_of(GstRvosNumbers *numbers, GstClockTime time)
{
    guint64 number = numbers->next;

    if (numbers->times->len > 0 && (numbers->jumped || numbers->backward)) {
        number = find(numbers, time);
        numbers->guessed = number >= numbers->times->len;
    }
    numbers->jumped = FALSE;
    /* The number was computed from the rate, which turns out to be wrong. */
    if (numbers->guessed && number != GST_RVOS_NUMBER_UNKNOWN &&
        on_grid(numbers, time) != number)
        number = GST_RVOS_NUMBER_UNKNOWN;
    return number;
}

guint64 gst_rvos_numbers_picture(GstRvosNumbers *numbers, GstClockTime time, gint fps_n,
                                 gint fps_d)
{
    guint64 number;

    if (numbers->times->len == 0) {
        numbers->fps_n = fps_n;
        numbers->fps_d = fps_d;
    } else if (numbers->fps_n != fps_n || numbers->fps_d != fps_d) {
        numbers->regular = FALSE;
    }
    number = number_of(numbers, time);
    numbers->next = number == GST_RVOS_NUMBER_UNKNOWN ? number : number + 1;
    if (number == numbers->times->len && !numbers->guessed &&
        (number == 0 || number <= numbers->last_wanted))
        g_array_append_val(numbers->times, time);
    if (number != GST_RVOS_NUMBER_UNKNOWN && on_grid(numbers, time) != number)
        numbers->regular = FALSE;
    return number;
}
