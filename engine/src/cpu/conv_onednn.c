/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_onednn.c - convolutions by oneDNN. Only this file includes omp.h and dnnl.h,
 * version 2 (Debian 12) or 3 (Ubuntu 24.04).
 *
 * A oneDNN primitive keeps the number of OpenMP threads at its creation, and OpenMP keeps
 * a team per calling thread. So every worker of the pool sets its own number to one, and
 * work is parallel in bands instead. Activations are plain NHWC. Weights are in the
 * layout that oneDNN asks for. Nearly always all bands of a convolution ask for the same
 * layout and share it. */
#include <dnnl.h>
#include <dnnl_debug.h>
#include <omp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../log.h"
#include "conv.h"

#define DNNL(call)                                                                       \
    do {                                                                                 \
        dnnl_status_t dnnl_status_ = (call);                                             \
        if (dnnl_status_ == dnnl_out_of_memory) {                                        \
            ret = RVOS_ERR_MEMORY;                                                       \
            goto error;                                                                  \
        }                                                                                \
        if (dnnl_status_ != dnnl_success) {                                              \
            rv_log(dev, RVOS_LOG_ERROR, "oneDNN: %s: status %d", #call, dnnl_status_);   \
            goto error;                                                                  \
        }                                                                                \
    } while (0)

/* oneDNN crashes if memory runs out: it throws C++ exceptions through its C interface, or
 * uses a NULL pointer. No C caller can catch that, so we first check for more memory than
 * it will take. It takes most, some hundred kB each, to compile kernels. The check sees
 * limits of address space, limits of data and strict overcommit. Another thread of the
 * process may still take the memory meanwhile; we accept this risk. */
#define ONEDNN_BYTES ((size_t)32 << 20)

/* A thread without a glibc arena tries in any malloc to reserve one, and then its address
 * space would be missing. */
#define ARENA_BYTES ((size_t)64 << 20)

/* Maps memory. NULL: there is too little. */
static void *map(size_t bytes, int protection)
{
    void *block =
        mmap(NULL, bytes, protection,
             MAP_PRIVATE | MAP_ANONYMOUS | (protection ? 0 : MAP_NORESERVE), -1, 0);

    return block == MAP_FAILED ? NULL : block;
}

static bool can_map(size_t bytes, int protection)
{
    void *block = map(bytes, protection);

    if (block)
        munmap(block, bytes);
    return block != NULL;
}

/* Begins calls of oneDNN that take memory; false: there is too little. If an arena would
 * take what they need, *filler keeps it from fitting in until memory_end(). */
static bool memory_begin(void **filler)
{
    *filler = NULL;
    if (!can_map(ONEDNN_BYTES, PROT_READ | PROT_WRITE))
        return false;
    if (!can_map(ONEDNN_BYTES + ARENA_BYTES, PROT_NONE) &&
        can_map(ARENA_BYTES, PROT_NONE))
        *filler = map(ONEDNN_BYTES, PROT_NONE);
    return true;
}

static void memory_end(void *filler)
{
    if (filler)
        munmap(filler, ONEDNN_BYTES);
}

/* Weights in one layout. Another shape may ask for another layout. */
struct prepared {
    struct rv_prepared head;
    dnnl_memory_t kernel, bias;
    char *data; /* data of both, HEAD_BYTES after the start of the struct */
};
#define HEAD_BYTES ((sizeof(struct prepared) + 63) / 64 * 64)

struct onednn_conv {
    struct rv_conv head;
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    dnnl_memory_t src, dst, scratch;
    size_t add_bytes;               /* bytes of `add`; 0: no sum */
    const struct prepared *weights; /* owned by the rv_weights */
};

static void prepared_free(struct rv_prepared *head)
{
    struct prepared *p = (struct prepared *)head;

    if (p->kernel)
        dnnl_memory_destroy(p->kernel);
    if (p->bias)
        dnnl_memory_destroy(p->bias);
    free(p);
}

/* Descriptors are plain structs in oneDNN 2, and handles to destroy in oneDNN 3. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t desc;
typedef const_dnnl_memory_desc_t mem_desc;
static dnnl_status_t desc_init(desc *d, int n, const dnnl_dims_t dims,
                               dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(d, n, dims, type, tag);
}
static void desc_free(desc *d)
{
    if (*d)
        dnnl_memory_desc_destroy(*d);
}
static mem_desc desc_get(const desc *d)
{
    return *d;
}
#else
typedef dnnl_memory_desc_t desc;
typedef const dnnl_memory_desc_t *mem_desc;
static dnnl_status_t desc_init(desc *d, int n, const dnnl_dims_t dims,
                               dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(d, n, dims, type, tag);
}
static void desc_free(desc *d)
{
    (void)d;
}
static mem_desc desc_get(const desc *d)
{
    return d;
}
#endif

/* Copies `kernel` (OIHW or GOIHW float32: 4 or 5 dimensions) into the layout `want`. */
static int fill_kernel(rvos_device *dev, dnnl_engine_t engine, struct prepared *p,
                       mem_desc want, int n, const dnnl_dims_t dims, float *kernel)
{
    desc plain = {0};
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    int ret = RVOS_ERR_DEVICE;

    DNNL(desc_init(&plain, n, dims, dnnl_f32, n == 5 ? dnnl_goihw : dnnl_oihw));
    DNNL(dnnl_memory_create(&from, desc_get(&plain), engine, kernel));
    DNNL(dnnl_memory_create(&p->kernel, want, engine, p->data));
    DNNL(dnnl_reorder_primitive_desc_create(&pd, desc_get(&plain), engine, want, engine,
                                            NULL));
    DNNL(dnnl_primitive_create(&reorder, pd));
    DNNL(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, p->kernel}};
    DNNL(dnnl_primitive_execute(reorder, stream, 2, args));
    DNNL(dnnl_stream_wait(stream));
    ret = 0;
error:
    if (stream)
        dnnl_stream_destroy(stream);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (from)
        dnnl_memory_destroy(from);
    desc_free(&plain);
    return ret;
}

/* The layout that a primitive wants. */
struct layout {
    dnnl_engine_t engine;
    mem_desc kernel, bias;
};

static bool weights_same(const struct rv_prepared *head, const void *layout)
{
    const struct prepared *p = (const struct prepared *)head;
    mem_desc md;

    return dnnl_memory_get_memory_desc(p->kernel, &md) == dnnl_success &&
           dnnl_memory_desc_equal(md, ((const struct layout *)layout)->kernel);
}

static int weights_make(struct rv_prepared **out, rvos_device *dev,
                        const struct rv_weight *w, const void *layout,
                        const float *kernel, const float *bias)
{
    const struct layout *want = layout;
    const dnnl_dims_t dense = {w->out, w->in, w->size, w->size},
                      grouped = {w->out, 1, 1, w->size, w->size};
    size_t bytes = (dnnl_memory_desc_get_size(want->kernel) + 63) / 64 * 64,
           bias_bytes = (size_t)w->out * sizeof(float);
    struct prepared *p =
        aligned_alloc(64, HEAD_BYTES + bytes + (bias_bytes + 63) / 64 * 64);
    int ret;

    if (!p)
        return RVOS_ERR_MEMORY;
    *p = (struct prepared){.head.bytes = bytes, .data = (char *)p + HEAD_BYTES};
    memcpy(p->data + bytes, bias, bias_bytes);
    ret = fill_kernel(dev, want->engine, p, want->kernel, w->depthwise ? 5 : 4,
                      w->depthwise ? grouped : dense, (float *)kernel);
    if (ret)
        goto error;
    ret = RVOS_ERR_DEVICE;
    DNNL(dnnl_memory_create(&p->bias, want->bias, want->engine, p->data + bytes));
    *out = &p->head;
    return 0;
error:
    prepared_free(&p->head);
    return ret;
}

static const struct rv_form form = {weights_same, weights_make, prepared_free};

static int make_attr(dnnl_primitive_attr_t *out, rvos_device *dev,
                     const struct rv_conv_shape *s)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    int ret = RVOS_ERR_DEVICE;

    DNNL(dnnl_primitive_attr_create(&attr));
    DNNL(dnnl_post_ops_create(&ops));
#if DNNL_VERSION_MAJOR >= 3
    if (s->sum)
        DNNL(dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef));
    if (s->relu)
        DNNL(dnnl_post_ops_append_eltwise(
            ops, s->relu6 ? dnnl_eltwise_clip : dnnl_eltwise_relu, 0, s->relu6 ? 6 : 0));
#else
    if (s->sum)
        DNNL(dnnl_post_ops_append_sum(ops, 1));
    if (s->relu)
        DNNL(dnnl_post_ops_append_eltwise(
            ops, 1, s->relu6 ? dnnl_eltwise_clip : dnnl_eltwise_relu, 0,
            s->relu6 ? 6 : 0));
#endif
    DNNL(dnnl_primitive_attr_set_post_ops(attr, ops));
    DNNL(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    dnnl_post_ops_destroy(ops);
    *out = attr;
    return 0;
error:
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return ret;
}

static dnnl_status_t conv_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                               const desc md[4], const dnnl_dims_t strides,
                               const dnnl_dims_t pad0, const dnnl_dims_t pad1,
                               const_dnnl_primitive_attr_t attr)
{
#if DNNL_VERSION_MAJOR >= 3
    static const dnnl_dims_t dilates = {0, 0};

    return dnnl_convolution_forward_primitive_desc_create(
        pd, engine, dnnl_forward_inference, dnnl_convolution_direct, md[0], md[1], md[2],
        md[3], strides, dilates, pad0, pad1, attr);
#else
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(
        &d, dnnl_forward_inference, dnnl_convolution_direct, &md[0], &md[1], &md[2],
        &md[3], strides, pad0, pad1);

    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
#endif
}

static dnnl_data_type_t type_of(enum rv_type type)
{
    return type == RV_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* Makes a descriptor of the band's convolution that leaves the layout of the weights to
 * oneDNN. */
static int make_desc(dnnl_primitive_desc_t *out, rvos_device *dev, dnnl_engine_t engine,
                     const struct rv_conv_shape *s)
{
    const dnnl_dims_t src = {1, s->ic, s->ih, s->iw}, dst = {1, s->oc, s->oh, s->ow},
                      dense = {s->oc, s->ic, s->size, s->size},
                      grouped = {s->oc, 1, 1, s->size, s->size}, bias = {s->oc},
                      strides = {s->stride, s->stride}, pad0 = {s->pad_top, s->pad_side},
                      pad1 = {s->pad_bottom, s->pad_side};
    dnnl_data_type_t in = type_of(s->in);
    dnnl_primitive_attr_t attr = NULL;
    desc md[4];
    int ret;

    memset(md, 0, sizeof(md));
    ret = make_attr(&attr, dev, s);
    if (ret)
        return ret;
    ret = RVOS_ERR_DEVICE;
    DNNL(desc_init(&md[0], 4, src, in, dnnl_nhwc));
    DNNL(desc_init(&md[1], s->depthwise ? 5 : 4, s->depthwise ? grouped : dense, in,
                   dnnl_format_tag_any));
    DNNL(desc_init(&md[2], 1, bias, dnnl_f32, dnnl_x));
    DNNL(desc_init(&md[3], 4, dst, type_of(s->out), dnnl_nhwc));
    DNNL(conv_desc(out, engine, md, strides, pad0, pad1, attr));
    ret = 0;
error:
    for (int i = 0; i < 4; i++)
        desc_free(&md[i]);
    dnnl_primitive_attr_destroy(attr);
    return ret;
}

static void conv_destroy(struct rv_conv *conv)
{
    struct onednn_conv *c = (struct onednn_conv *)conv;

    if (c->primitive)
        dnnl_primitive_destroy(c->primitive);
    if (c->stream)
        dnnl_stream_destroy(c->stream);
    if (c->src)
        dnnl_memory_destroy(c->src);
    if (c->dst)
        dnnl_memory_destroy(c->dst);
    if (c->scratch)
        dnnl_memory_destroy(c->scratch);
    free(c);
}

static int create(struct rv_conv **out, const struct rv_conv_order *piece)
{
    rvos_device *dev = piece->dev;
    const struct rv_conv_shape *s = &piece->shape;
    dnnl_engine_t engine = piece->opened;
    dnnl_primitive_desc_t pd = NULL;
    struct onednn_conv *c = calloc(1, sizeof(*c));
    int ret = c ? make_desc(&pd, dev, engine, s) : RVOS_ERR_MEMORY;
    mem_desc scratch;

    if (!ret)
        ret = rv_prepare(
            dev, piece->weights, piece->index, &form,
            &(struct layout){engine,
                             dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0),
                             dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1)},
            (const struct rv_prepared **)&c->weights);
    if (ret)
        goto error;
    ret = RVOS_ERR_DEVICE;
    DNNL(dnnl_primitive_create(&c->primitive, pd));
    DNNL(dnnl_stream_create(&c->stream, engine, dnnl_stream_default_flags));
    DNNL(dnnl_memory_create(&c->src,
                            dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0),
                            engine, DNNL_MEMORY_NONE));
    DNNL(dnnl_memory_create(&c->dst,
                            dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0),
                            engine, DNNL_MEMORY_NONE));
    scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    c->head.scratch_bytes = dnnl_memory_desc_get_size(scratch);
    if (s->sum)
        c->add_bytes = (size_t)s->oh * s->ow * s->oc * rv_type_bytes(s->out);
    DNNL(dnnl_memory_create(&c->scratch, scratch, engine, DNNL_MEMORY_NONE));
    dnnl_primitive_desc_destroy(pd);
    *out = &c->head;
    return 0;
error:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (c)
        conv_destroy(&c->head);
    return ret;
}

static int conv_create(struct rv_conv **out, const struct rv_conv_order *piece)
{
    void *filler;
    int ret;

    if (!memory_begin(&filler))
        return RVOS_ERR_MEMORY;
    ret = create(out, piece);
    memory_end(filler);
    return ret;
}

static int conv_run(struct rv_conv *conv, const void *src, const void *add, void *dst,
                    void *scratch)
{
    const struct onednn_conv *c = (struct onednn_conv *)conv;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, c->src},
                              {DNNL_ARG_WEIGHTS, c->weights->kernel},
                              {DNNL_ARG_BIAS, c->weights->bias},
                              {DNNL_ARG_DST, c->dst},
                              {DNNL_ARG_SCRATCHPAD, c->scratch}};

    if (c->add_bytes && add != dst) /* oneDNN adds to dst */
        memcpy(dst, add, c->add_bytes);
    if (dnnl_memory_set_data_handle(c->src, (void *)src) != dnnl_success ||
        dnnl_memory_set_data_handle(c->dst, dst) != dnnl_success ||
        dnnl_memory_set_data_handle(c->scratch, scratch) != dnnl_success ||
        dnnl_primitive_execute(c->primitive, c->stream, 5, args) != dnnl_success)
        return RVOS_ERR_DEVICE;
    return 0;
}

static int set_threads(int n)
{
    int before = omp_get_max_threads();

    omp_set_num_threads(n);
    return before;
}

static int engine_open(rvos_device *dev, void **out)
{
    dnnl_engine_t engine = NULL;
    void *filler;
    int ret = RVOS_ERR_DEVICE;

    *out = NULL;
    if (!memory_begin(&filler))
        return RVOS_ERR_MEMORY;
    DNNL(dnnl_engine_create(&engine, dnnl_cpu, 0));
    *out = engine;
    ret = 0;
error:
    memory_end(filler);
    return ret;
}

static void engine_close(void *engine)
{
    if (engine)
        dnnl_engine_destroy(engine);
}

static void library(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();

    snprintf(text, size, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

static const char *isa(void)
{
    const char *name = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());

    return strncmp(name, "cpu_isa_", 8) ? name : name + 8;
}

static bool suits(const struct rv_conv_shape *whole)
{
    int bits = dnnl_get_effective_cpu_isa();

    return whole->in == RV_F32 ||
           (whole->in == RV_BF16 &&
            (bits & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16);
}

const struct rv_conv_engine rv_engine_onednn = {
    .suits = suits,
    .create = conv_create,
    .run = conv_run,
    .destroy = conv_destroy,
    .library = library,
    .isa = isa,
    .set_threads = set_threads,
    .open = engine_open,
    .close = engine_close,
};
