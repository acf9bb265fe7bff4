/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dnn.c - builds cuDNN's descriptors. Uses nothing newer than cuDNN 9.14. */
#include "dnn.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef cudnnBackendDescriptor_t desc;

/* Tensors of a graph, by their unique ids. */
enum tensor { T_X = 1, T_W, T_BIAS, T_ADD, T_Y, T_V0, T_V1, T_V2 };

void rv_dnn_version(char *text, size_t size)
{
    size_t v = cudnnGetVersion();

    snprintf(text, size, "cuDNN %zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
}

const char *rv_dnn_file(void)
{
    size_t (*function)(void) = cudnnGetVersion;
    Dl_info info;
    void *address;

    memcpy(&address, &function, sizeof(address));
    return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

/* ---- descriptors ---------------------------------------------------------------- */

static bool set(desc d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *values)
{
    return cudnnBackendSetAttribute(d, name, type, n, values) == CUDNN_STATUS_SUCCESS;
}

static bool set_desc(desc d, cudnnBackendAttributeName_t name, desc value)
{
    return value && set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static desc create_desc(cudnnBackendDescriptorType_t type)
{
    desc d = NULL;

    return cudnnBackendCreateDescriptor(type, &d) == CUDNN_STATUS_SUCCESS ? d : NULL;
}

void rv_dnn_destroy(desc *d)
{
    if (*d)
        cudnnBackendDestroyDescriptor(*d);
    *d = NULL;
}

static desc finalized(desc d, bool good)
{
    if (d && (!good || cudnnBackendFinalize(d) != CUDNN_STATUS_SUCCESS))
        rv_dnn_destroy(&d);
    return d;
}

/* n x c x h x w, channels last. A filter is k x c x r x s in the same layout. */
static desc make_tensor(enum tensor id, cudnnDataType_t type, int64_t n, int64_t c,
                        int64_t h, int64_t w, bool virtual)
{
    desc d = create_desc(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const int64_t dims[4] = {n, c, h, w}, strides[4] = {h * w * c, 1, w * c, c};
    const int64_t unique = id, alignment = 16;

    return finalized(
        d,
        d && set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type) &&
            set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims) &&
            set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides) &&
            set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &unique) &&
            set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment) &&
            set(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &virtual));
}

static desc make_convolution(const struct rv_conv_shape *s)
{
    desc d = create_desc(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    const int64_t two = 2, pad[2] = {s->pad, s->pad}, one[2] = {1, 1},
                  stride[2] = {s->stride, s->stride};
    const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;

    return finalized(
        d,
        d && set(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two) &&
            set(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute) &&
            set(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1,
                &mode) &&
            set(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad) &&
            set(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad) &&
            set(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one) &&
            set(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride));
}

static desc make_conv_op(desc conv, desc x, desc w, desc y)
{
    desc d = create_desc(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    const float alpha = 1, beta = 0;

    return finalized(
        d, d && set_desc(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, conv) &&
               set_desc(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x) &&
               set_desc(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w) &&
               set_desc(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y) &&
               set(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1,
                   &alpha) &&
               set(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1,
                   &beta));
}

static desc make_pointwise(cudnnPointwiseMode_t mode)
{
    desc d = create_desc(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    const cudnnDataType_t compute = CUDNN_DATA_FLOAT;

    return finalized(
        d, d && set(d, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode) &&
               set(d, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &compute));
}

/* If b is NULL, the operation has one operand. */
static desc make_pointwise_op(desc how, desc x, desc b, desc y)
{
    desc d = create_desc(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);

    return finalized(
        d, d && set_desc(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how) &&
               set_desc(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x) &&
               (!b || set_desc(d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b)) &&
               set_desc(d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y));
}

/* ---- operation graphs --------------------------------------------------------- */

static cudnnDataType_t type_of(enum rv_type type)
{
    return type == RV_F16 ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
}

/* The parts of a graph while it is being built; most may be NULL. */
struct parts {
    desc tensor[T_V2 + 1], conv, add, relu, op[4];
    int n_ops;
};

/* Appends a pointwise operation. The final one writes y. */
static void append_op(struct parts *p, desc how, enum tensor operand, enum tensor *at,
                      bool last)
{
    enum tensor to = last ? T_Y : (enum tensor)(*at + 1);

    p->op[p->n_ops] = make_pointwise_op(
        how, p->tensor[*at], operand ? p->tensor[operand] : NULL, p->tensor[to]);
    p->n_ops++;
    *at = to;
}

/* In the order of cudnnConvolutionBiasActivationForward, which has precompiled engines,
 * too. */
static void make_parts(struct parts *p, const struct rv_conv_shape *s, enum rv_form form)
{
    const cudnnDataType_t in = type_of(s->in), f32 = CUDNN_DATA_FLOAT;
    bool fused = form == RV_FORM_FUSED || form == RV_FORM_FUSED32;
    const cudnnDataType_t out = fused                    ? type_of(s->out)
                                : form == RV_FORM_SUMS32 ? f32
                                                         : in;
    const cudnnDataType_t bias = form == RV_FORM_FUSED ? in : f32;
    enum tensor at = T_V0;

    p->tensor[T_X] = make_tensor(T_X, in, s->n, s->ic, s->ih, s->iw, false);
    p->tensor[T_W] = make_tensor(T_W, in, s->oc, s->ic, s->size, s->size, false);
    p->tensor[T_Y] = make_tensor(T_Y, out, s->n, s->oc, s->oh, s->ow, false);
    p->conv = make_convolution(s);
    if (fused) {
        for (enum tensor v = T_V0; v <= T_V2; v++)
            p->tensor[v] = make_tensor(v, f32, s->n, s->oc, s->oh, s->ow, true);
        p->tensor[T_BIAS] = make_tensor(T_BIAS, bias, 1, s->oc, 1, 1, false);
        p->tensor[T_ADD] = make_tensor(T_ADD, out, s->n, s->oc, s->oh, s->ow, false);
        p->add = make_pointwise(CUDNN_POINTWISE_ADD);
        p->relu = make_pointwise(CUDNN_POINTWISE_RELU_FWD);
    }
    p->op[p->n_ops++] = make_conv_op(p->conv, p->tensor[T_X], p->tensor[T_W],
                                     p->tensor[fused ? T_V0 : T_Y]);
    if (!fused)
        return;
    if (s->sum)
        append_op(p, p->add, T_ADD, &at, false);
    append_op(p, p->add, T_BIAS, &at, !s->relu);
    if (s->relu)
        append_op(p, p->relu, 0, &at, true);
}

desc rv_dnn_graph(const struct rv_dnn *dnn, const struct rv_conv_shape *s,
                  enum rv_form form)
{
    struct parts p = {0};
    desc d = NULL;
    bool good = true;

    make_parts(&p, s, form);
    for (int i = 0; i < p.n_ops; i++)
        good = good && p.op[i];
    if (good)
        d = create_desc(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    good = d && set(d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                    p.n_ops, p.op);
    if (good && dnn->handle)
        good =
            set(d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &dnn->handle);
    d = finalized(d, good);
    for (int i = 0; i < p.n_ops; i++)
        rv_dnn_destroy(&p.op[i]);
    for (int i = 0; i <= T_V2; i++)
        rv_dnn_destroy(&p.tensor[i]);
    rv_dnn_destroy(&p.conv);
    rv_dnn_destroy(&p.add);
    rv_dnn_destroy(&p.relu);
    return d;
}

/* ---- engines -------------------------------------------------------------------- */

/* The engine of a configuration; the caller destroys it. */
static desc engine_of(desc config)
{
    desc engine = create_desc(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    int64_t n = 0;

    if (engine && cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n,
                                           &engine) != CUDNN_STATUS_SUCCESS)
        rv_dnn_destroy(&engine);
    return engine;
}

/* Whether an engine may be used. For fp32: multiply-adds in float32 and nothing else. */
bool rv_dnn_suits(desc config, const struct rv_conv_shape *s)
{
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    desc engine = engine_of(config);
    int64_t n = 0;
    bool good =
        engine && cudnnBackendGetAttribute(
                      engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                      CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n, notes) == CUDNN_STATUS_SUCCESS;
    bool exact = s->in == RV_F32 && !s->tf32;

    for (int i = 0; i < n && good; i++)
        switch (notes[i]) {
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC: /* runs must be bit-identical */
        case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
            good = false;
            break;
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
            good = !exact;
            break;
        case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
            good = s->tf32;
            break;
        case CUDNN_NUMERICAL_NOTE_FFT:
        case CUDNN_NUMERICAL_NOTE_WINOGRAD:
        case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
        case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
        case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
            good = false;
            break;
        default:
            break;
        }
    rv_dnn_destroy(&engine);
    return good;
}

bool rv_dnn_compiles(desc config)
{
    cudnnBackendBehaviorNote_t notes[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
    desc engine = engine_of(config);
    int64_t n = 0;
    bool compiles = false;

    if (engine && cudnnBackendGetAttribute(
                      engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                      CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &n, notes) == CUDNN_STATUS_SUCCESS)
        for (int i = 0; i < n && i < CUDNN_BEHAVIOR_NOTE_TYPE_COUNT; i++)
            compiles = compiles || notes[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
    rv_dnn_destroy(&engine);
    return compiles;
}

/* Finalizes a plan and reads its workspace size. */
static desc finalized_plan(desc d, bool good, int64_t *workspace)
{
    int64_t n = 0;

    d = finalized(d, good);
    if (d && (cudnnBackendGetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                       CUDNN_TYPE_INT64, 1, &n,
                                       workspace) != CUDNN_STATUS_SUCCESS ||
              *workspace < 0))
        rv_dnn_destroy(&d);
    return d;
}

static bool set_target(desc plan, const struct rv_dnn *dnn)
{
    if (dnn->handle)
        return set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
                   &dnn->handle);
    return set_desc(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, dnn->device);
}

desc rv_dnn_plan(const struct rv_dnn *dnn, desc config, int64_t *workspace)
{
    desc d = create_desc(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    bool good = d && set_desc(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config) &&
                set_target(d, dnn);

    return finalized_plan(d, good, workspace);
}

/* ---- plans as text -------------------------------------------------------------- */

char *rv_dnn_save(desc plan, size_t *size)
{
    int64_t length = 0, got = 0;
    char *text;

    if (cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, 0, &length,
                                 NULL) != CUDNN_STATUS_SUCCESS ||
        length <= 1)
        return NULL;
    text = calloc(1, (size_t)length + 1);
    if (text && (cudnnBackendGetAttribute(
                     plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                     length, &got, text) != CUDNN_STATUS_SUCCESS ||
                 got > length)) {
        free(text);
        return NULL;
    }
    *size = text ? (size_t)got : 0;
    return text;
}

desc rv_dnn_restore(const struct rv_dnn *dnn, const char *text, size_t size,
                    int64_t *workspace)
{
    desc d = create_desc(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    bool good = d && set_target(d, dnn) &&
                set(d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                    (int64_t)size, text);

    return finalized_plan(d, good, workspace);
}

static int64_t number(desc d, cudnnBackendAttributeName_t name,
                      cudnnBackendAttributeType_t type)
{
    int64_t n = 0, value = -1;
    int32_t narrow = -1;

    if (type == CUDNN_TYPE_INT64)
        return cudnnBackendGetAttribute(d, name, type, 1, &n, &value) ? -1 : value;
    return cudnnBackendGetAttribute(d, name, type, 1, &n, &narrow) ? -1 : narrow;
}

void rv_dnn_describe(desc config, char *text, size_t size)
{
    desc engine = engine_of(config), knob[32] = {0};
    int64_t n = 0, at;
    int room = 0;

    at = snprintf(text, size, "engine %lld",
                  engine ? (long long)number(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX,
                                             CUDNN_TYPE_INT64)
                         : -1LL);
    while (room < 32 && (knob[room] = create_desc(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR)))
        room++;
    if (cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, room, &n,
                                 knob) != CUDNN_STATUS_SUCCESS)
        n = 0;
    for (int i = 0; i < n && i < room && at < (int64_t)size; i++)
        at += snprintf(text + at, size - (size_t)at, " %lld=%lld",
                       (long long)number(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                         CUDNN_TYPE_KNOB_TYPE),
                       (long long)number(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE,
                                         CUDNN_TYPE_INT64));
    for (int i = 0; i < room; i++)
        rv_dnn_destroy(&knob[i]);
    rv_dnn_destroy(&engine);
}

/* Appends a mode's configurations; the caller destroys them. */
static int ask(const struct rv_dnn *dnn, desc graph, cudnnBackendHeurMode_t mode,
               desc *config, int n, int most)
{
    desc heur = create_desc(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    int64_t got = 0;
    int want = 0;
    bool good = heur && set_desc(heur, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph) &&
                set(heur, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);

    if (good && !dnn->handle)
        good = set_desc(heur, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, dnn->device);
    heur = finalized(heur, good);
    if (!heur)
        return n;
    while (n + want < most) {
        config[n + want] = create_desc(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
        if (!config[n + want])
            break;
        want++;
    }
    if (cudnnBackendGetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, want, &got,
                                 config + n) != CUDNN_STATUS_SUCCESS)
        got = 0;
    got = got < want ? got : want; /* cuDNN may report more than it returned */
    for (int i = (int)got; i < want; i++)
        rv_dnn_destroy(&config[n + i]);
    rv_dnn_destroy(&heur);
    return n + (int)got;
}

int rv_dnn_configs(const struct rv_dnn *dnn, desc graph, desc *config, int most)
{
    int n = ask(dnn, graph, CUDNN_HEUR_MODE_A, config, 0, most - most / 4);

    return ask(dnn, graph, CUDNN_HEUR_MODE_FALLBACK, config, n, most);
}

desc rv_dnn_pack(const struct rv_conv_shape *s, enum rv_form form,
                 const struct rv_conv_io *io, const void *kernel, const void *bias,
                 void *y, void *workspace)
{
    desc d = create_desc(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    void *pointer[5] = {(void *)io->x, (void *)kernel, y, (void *)bias, (void *)io->add};
    const int64_t id[5] = {T_X, T_W, T_Y, T_BIAS, T_ADD};
    bool fused = form == RV_FORM_FUSED || form == RV_FORM_FUSED32;
    int n = !fused ? 3 : s->sum ? 5 : 4;

    return finalized(
        d, d &&
               set(d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n,
                   pointer) &&
               set(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id) &&
               set(d, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
                   &workspace));
}
