/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace.c - a library that the CUDA runtime loads (CUDA_INJECTION64_PATH). It writes each
 * kernel and copy to the file RVOS_TRACE_FILE, for timeline.py.
 *
 * A line: kernel or copy, start and end in ns, stream, node of the graph (0: launched by
 * itself), name. Lines of # say what could not be traced. */
#include <cupti.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER (4 << 20)

int InitializeInjection(void);

static FILE *file;

static void CUPTIAPI give_buffer(uint8_t **buffer, size_t *size, size_t *records)
{
    *buffer = aligned_alloc(8, BUFFER);
    *size = *buffer ? BUFFER : 0;
    *records = 0; /* as many as fit */
}

static void write_record(const CUpti_Activity *record)
{
    const CUpti_ActivityKernel10 *k = (const void *)record;
    const CUpti_ActivityMemcpy6 *m = (const void *)record;

    switch ((int)record->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
        fprintf(file, "kernel %llu %llu %u %llu %s\n", (unsigned long long)k->start,
                (unsigned long long)k->end, k->streamId,
                (unsigned long long)k->graphNodeId, k->name ? k->name : "?");
        break;
    case CUPTI_ACTIVITY_KIND_MEMCPY:
        fprintf(file, "copy %llu %llu %u %llu %llu bytes, kind %u\n",
                (unsigned long long)m->start, (unsigned long long)m->end, m->streamId,
                (unsigned long long)m->graphNodeId, (unsigned long long)m->bytes,
                (unsigned int)m->copyKind);
        break;
    default:
        break;
    }
}

static void CUPTIAPI take_buffer(CUcontext context, uint32_t stream, uint8_t *buffer,
                                 size_t size, size_t valid)
{
    CUpti_Activity *record = NULL;
    size_t dropped = 0;

    (void)size;
    while (file && cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS)
        write_record(record);
    if (file && !cuptiActivityGetNumDroppedRecords(context, stream, &dropped) && dropped)
        fprintf(file, "# %zu records were dropped\n", dropped);
    free(buffer);
}

static void finish(void)
{
    cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    fclose(file);
    file = NULL;
}

static void check(CUptiResult result, const char *what)
{
    const char *why = NULL;

    if (result == CUPTI_SUCCESS)
        return;
    cuptiGetResultString(result, &why);
    fprintf(file, "# %s: %s\n", what, why ? why : "?");
}

__attribute__((visibility("default"))) int InitializeInjection(void)
{
    const char *name = getenv("RVOS_TRACE_FILE");

    file = name ? fopen(name, "w") : NULL;
    if (!file)
        return 1; /* the program runs all the same */
    check(cuptiActivityRegisterCallbacks(give_buffer, take_buffer), "callbacks");
    check(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL), "kernels");
    check(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY), "copies");
    fflush(file);
    atexit(finish);
    return 1;
}
