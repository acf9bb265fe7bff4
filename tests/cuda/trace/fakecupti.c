/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakecupti.c - tests trace.c with a fake CUPTI: two frames of a few kernels, in several
 * buffers. cuda-trace FILE writes them there. */
#include <cupti.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../test.h"

int InitializeInjection(void);

static CUpti_BuffersCallbackRequestFunc request;
static CUpti_BuffersCallbackCompleteFunc complete;
static int enabled, flushed, given, taken;
static CUpti_ActivityKernel10 kernel[7];
static CUpti_ActivityMemcpy6 copy;

CUptiResult cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc r,
                                           CUpti_BuffersCallbackCompleteFunc c)
{
    request = r;
    complete = c;
    return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityEnable(CUpti_ActivityKind kind)
{
    enabled += kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL ||
               kind == CUPTI_ACTIVITY_KIND_MEMCPY;
    return kind == CUPTI_ACTIVITY_KIND_MEMCPY ? CUPTI_ERROR_INSUFFICIENT_PRIVILEGES
                                              : CUPTI_SUCCESS;
}

CUptiResult cuptiGetResultString(CUptiResult result, const char **text)
{
    (void)result;
    *text = "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES";
    return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityGetNumDroppedRecords(CUcontext context, uint32_t stream,
                                              size_t *dropped)
{
    (void)context;
    (void)stream;
    *dropped = 0;
    return CUPTI_SUCCESS;
}

/* Four records a buffer, the copy last. */
CUptiResult cuptiActivityGetNextRecord(uint8_t *buffer, size_t valid,
                                       CUpti_Activity **record)
{
    (void)buffer;
    if (taken == 8 || (*record && taken % 4 == 0)) {
        *record = NULL;
        return CUPTI_ERROR_MAX_LIMIT_REACHED;
    }
    CHECK(valid == 100);
    *record = taken == 7 ? (CUpti_Activity *)&copy : (CUpti_Activity *)&kernel[taken];
    taken++;
    return CUPTI_SUCCESS;
}

CUptiResult cuptiActivityFlushAll(uint32_t flag)
{
    flushed += flag == CUPTI_ACTIVITY_FLAG_FLUSH_FORCED;
    while (taken < 8) {
        uint8_t *buffer;
        size_t size, records = 1;

        request(&buffer, &size, &records);
        given += buffer && size >= 100000 && !records;
        complete(NULL, 0, buffer, size, 100);
    }
    return CUPTI_SUCCESS;
}

/* Behind trace.c's own. */
static void judge(void)
{
    CHECK(enabled == 2 && flushed == 1 && given == 2);
    _exit(test_done());
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"shrink", "conv_tile", "cell_tile"};

    if (argc < 2)
        return test_skip("usage: cuda-trace FILE");
    for (int i = 0; i < 7; i++) {
        kernel[i].kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
        kernel[i].start = 1000000 + 10000 * (uint64_t)i;
        kernel[i].end = kernel[i].start + (i % 3 == 2 ? 15000 : 4000);
        kernel[i].streamId = i % 3 == 2 ? 8 : 7;
        kernel[i].graphNodeId = 100 + (uint64_t)i;
        kernel[i].name = names[i % 3];
    }
    copy.kind = CUPTI_ACTIVITY_KIND_MEMCPY;
    copy.start = 990000;
    copy.end = 991000;
    copy.streamId = 7;
    copy.bytes = 512;
    copy.copyKind = 1;
    setenv("RVOS_TRACE_FILE", argv[1], 1);
    atexit(judge);
    CHECK(InitializeInjection() == 1);
    return 0;
}
