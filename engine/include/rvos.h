/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rvos.h - segment the objects of a video, frame by frame.
 *
 *     rvos_device   where work runs: the CPU, or one CUDA device
 *     rvos_model    weights on a device; immutable, shared by many streams
 *     rvos_stream   the recurrent state of one video
 *
 * The network is RVOS (Ventura et al., "RVOS: End-to-End Recurrent Network for Video
 * Object Segmentation", CVPR 2019): an encoder of images, and four levels of ConvLSTM
 * that are recurrent over the objects of a frame and over frames (equations 1 to 3 of the
 * paper). A stream has a number of slots, from 1. Object i is the object in slot i of all
 * frames, and label i of a mask.
 *
 *     rvos_device *device;
 *     rvos_model *model;
 *     rvos_stream *stream;
 *     rvos_device_open(&device, NULL);
 *     rvos_model_load(&model, device, "rvos.safetensors", NULL);
 *     rvos_stream_open(&stream, model, NULL);
 *     while (next_frame(&image))
 *         rvos_stream_process(stream, &image, &(rvos_output){.labels = &labels});
 *     rvos_stream_close(&stream);
 *     rvos_model_close(&model);
 *     rvos_device_close(&device);
 *
 * Ownership: whoever opens a handle closes it. Each object holds a reference on the one
 * above it, so handles may be closed in any order. Closing takes the handle's address,
 * sets it to NULL, and does nothing for NULL.
 *
 * Errors: functions that can fail return 0, or a negative rvos_status with *out set to
 * NULL. The device's log callback gets a line that says what went wrong. The library
 * never exits, aborts or prints by itself.
 *
 * fork: a device and all that is on it belong to the process that opened them. In a child
 * process, functions that can fail return RVOS_ERR_DEVICE. They log nothing, because
 * another thread may have held the log's locks at the fork. Functions that close a handle
 * set it to NULL and free nothing. A child may open a device of its own.
 *
 * Parameters: a params struct of zeroes means the defaults, and so does NULL. Only
 * rvos_draw tells them apart. The struct must live until the call returns.
 */
#ifndef RVOS_H
#define RVOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef RVOS_API
#define RVOS_API __attribute__((visibility("default")))
#endif

#define RVOS_MAX_OBJECTS 32
#define RVOS_MAX_BATCH 16

typedef enum rvos_status {
    RVOS_OK = 0,
    RVOS_ERR_ARGUMENT = -1,    /* a parameter is out of range */
    RVOS_ERR_MEMORY = -2,      /* host or device memory ran out */
    RVOS_ERR_NOT_FOUND = -3,   /* there is no such file */
    RVOS_ERR_IO = -4,          /* the model file could not be read */
    RVOS_ERR_FORMAT = -5,      /* the file is not a model that librvos knows */
    RVOS_ERR_WRONG_TASK = -6,  /* the model has no decoder for this task */
    RVOS_ERR_UNSUPPORTED = -7, /* not in this build or on this device */
    RVOS_ERR_DEVICE = -8,      /* the device failed: close all its handles */
} rvos_status;

/* Never NULL, even if `status` is not an rvos_status. */
RVOS_API const char *rvos_strerror(int status);

/* ---- device: thread-safe once open ------------------------------------- */

typedef struct rvos_device rvos_device;

typedef enum rvos_log_level {
    RVOS_LOG_ERROR,
    RVOS_LOG_WARNING,
    RVOS_LOG_INFO,
    RVOS_LOG_DEBUG,
} rvos_log_level;

typedef struct rvos_device_params {
    const char *backend; /* "cpu", "cuda", or "reference" (plain C, slow, the
                            definition of correct); NULL: rvos_default_backend(),
                            and "cpu" if that does not open */
    int index;           /* which CUDA device */
    void *cuda_context;  /* a CUcontext to work in; NULL: the primary one */
    int threads;         /* CPU threads of the device; 0: rvos_default_threads() */
    /* Called from any thread that calls into the library or belongs to it. Each call gets
     * one line without a newline. The line is valid UTF-8 without control characters,
     * whatever bytes file names hold. The function must not call back into the library.
     * It may be called until the last handle on the device is closed. NULL: no log. */
    void (*log)(void *opaque, rvos_log_level level, const char *line);
    void *log_opaque;
} rvos_device_params;

/* Strings are never NULL, "" if unknown, and live as long as the device. */
typedef struct rvos_device_info {
    const char *backend; /* "cpu", "cuda" or "reference" */
    const char *name;    /* of the processor */
    const char *library; /* such as "oneDNN 2.6.3" or "cuDNN 9.14.0" */
    const char *isa;     /* instruction set in use, such as "avx512_core" or "sm_90" */
    int threads;         /* that compute; if none could be started: 1, the caller's own */
    int threads_refused; /* that could not be started, for example at a process limit;
                            frames then take longer */
} rvos_device_info;

/* The number of cores in the process's affinity mask, or fewer if a control group (a
 * container, for example) limits its CPU time. */
RVOS_API int rvos_default_threads(void);

/* The backend that a device tries first if none is named: "cuda" if RVOS_CUDA=1 is in the
 * environment, else "cpu". CUDA is opt-in until it has been tested on a GPU. */
RVOS_API const char *rvos_default_backend(void);

/* A backend that is unknown or not in this build is RVOS_ERR_UNSUPPORTED. */
RVOS_API int rvos_device_open(rvos_device **out, const rvos_device_params *params);
RVOS_API void rvos_device_close(rvos_device **device);
RVOS_API void rvos_device_get_info(const rvos_device *device, rvos_device_info *info);

/* ---- model: thread-safe ------------------------------------------------- */

typedef struct rvos_model rvos_model;

typedef enum rvos_task {
    RVOS_TASK_DEFAULT = 0,        /* zero-shot if the file can, else one-shot */
    RVOS_TASK_ZERO_SHOT = 1 << 0, /* finds the objects by itself */
    RVOS_TASK_ONE_SHOT = 1 << 1,  /* follows the objects given to rvos_stream_seed */
    RVOS_TASK_AUTO = 1 << 2, /* finds objects with the zero-shot decoder, then follows
                                each with the one-shot decoder; needs both */
} rvos_task;

/* Type of the operands; sums are fp32 (int16: 32-bit integers). A precision that the
 * backend cannot compute is RVOS_ERR_UNSUPPORTED. */
typedef enum rvos_precision {
    RVOS_PRECISION_DEFAULT = 0, /* fp32 on a CPU, fp16 on CUDA */
    RVOS_PRECISION_FP32,        /* throughout; never TF32 */
    RVOS_PRECISION_TF32,
    RVOS_PRECISION_FP16,
    /* The next three are for speed. A CPU that is not faster with one of them logs a
     * warning and uses a more exact one, INT16 or FP32. */
    RVOS_PRECISION_BF16,  /* coarse; a CPU needs AMX */
    RVOS_PRECISION_INT16, /* convolutions multiply integers of 14 to 16 bits, all else is
                             FP32; a CPU needs AVX2, or AVX-512 with VNNI */
    RVOS_PRECISION_INT8,  /* as INT16, but strided and 1x1 convolutions multiply integers
                             of 8 bits (docs/numerics.md); a CPU needs VNNI */
} rvos_precision;

/* Batching: if max_batch is above 1, CUDA runs frames of several streams in one pass. The
 * streams must have the same task, variant and number of objects, and their frames must
 * come at about the same time. Each stream keeps its own state. The CPU runs frames one
 * after another (max_batch is 1).
 *
 * Threads: batching starts none. Each stream needs a thread of its own that calls
 * rvos_stream_process; one of the threads that wait there runs the pass for all. If one
 * thread processes several streams in turn, their frames never share a pass and each wait
 * is wasted.
 *
 * Latency: a frame first waits for the passes of earlier frames. Then it waits once, up
 * to batch_wait_us, for frames of other streams. It does not wait if max_batch frames are
 * there or all streams have sent theirs. A stream that did not come in time is not
 * awaited again until it sends its next frame. If batch_wait_us is 0, only frames that
 * queued up during a pass run together.
 *
 * Fairness: frames run in the order in which they came.
 *
 * Memory: rvos_stream_open of the 2nd, 3rd, 5th and 9th open stream makes a plan for up
 * to 2, 4, 8 or 16 frames. A plan for n frames takes about n times the memory of the
 * first, and stays until the model is closed. Most of this memory is scratch. Plans for
 * several frames share their scratch if the GPU supports virtual memory management;
 * together they then take about as much as the largest. If memory runs out, a warning is
 * logged and passes stay smaller.
 *
 * Failure: if a pass fails and the device still works, its frames are run again one by
 * one, so that each stream gets its own status. */
typedef struct rvos_model_params {
    int max_batch; /* maximum number of streams in one pass, 1 to RVOS_MAX_BATCH; 0: 1 */
    int batch_wait_us; /* longest time in microseconds that a frame waits for frames of
                          other streams; unused if max_batch is 1 */
    int width, height; /* network size, each side 32 to 4096; 0: as in the file */
    rvos_precision precision;
} rvos_model_params;

/* Strings are never NULL and live as long as the model. */
typedef struct rvos_model_info {
    const char *encoder;              /* such as "resnet18" */
    const char *skip_mode;            /* "concat", "sum", "mul" or "none" */
    const char *licence, *provenance; /* of the weights; "" if the file does not say */
    unsigned tasks;    /* rvos_task bits of the decoders in the file; RVOS_TASK_AUTO if it
                          has both */
    int width, height; /* network size in use; frames are resized to it */
    int objects;       /* slots it was trained with; the default of a stream */
    int hidden;        /* channels of the coarsest hidden state */
    int kernel_size;   /* of skip, gate and output convolutions: 1 or 3 */
    int64_t parameters;   /* of the encoder and all decoders, as used */
    int64_t encoder_macs; /* multiply-accumulates per frame, skips included */
    int64_t object_macs;  /* the same for each object, with the published gates */
    size_t weights_bytes; /* device memory of weights so far; grows with plans */
    int max_batch; /* in effect: the smaller of the request and the backend's limit */
    int64_t frames, passes; /* run so far for all streams; the passes they took */
} rvos_model_info;

/* Reads a model file (docs/model-format.md). The file stays open while the model lives:
 * rvos_stream_open reads it again when it makes a plan. To replace the file, rename a new
 * one over it or delete it; the model keeps the old one. If the file is changed in place,
 * rvos_stream_open returns RVOS_ERR_IO when it needs weights. Open streams go on. No
 * signal is raised. */
RVOS_API int rvos_model_load(rvos_model **out, rvos_device *device, const char *path,
                             const rvos_model_params *params);
RVOS_API void rvos_model_close(rvos_model **model);
RVOS_API void rvos_model_get_info(const rvos_model *model, rvos_model_info *info);
/* The precision in use, never RVOS_PRECISION_DEFAULT. */
RVOS_API rvos_precision rvos_model_precision(const rvos_model *model);

/* ---- pixels: borrowed views; nothing is kept after the call -------------
 * Sides are 1 to 32768 pixels. Strides are positive and not less than a row's bytes. */

typedef enum rvos_memory { RVOS_MEMORY_HOST, RVOS_MEMORY_CUDA } rvos_memory;

/* Bytes in memory order. Alpha is neither read nor drawn on. NV12, NV21, I420 and their
 * 10-bit forms have chroma planes of (width + 1) / 2 by (height + 1) / 2 samples. A pixel
 * pair of YUY2 and UYVY has 4 bytes, even the last pair of an odd width. 10-bit samples
 * are 16-bit little-endian. CUDA takes the formats up to RVOS_I420; others are
 * RVOS_ERR_UNSUPPORTED there. */
typedef enum rvos_format {
    RVOS_RGB,
    RVOS_BGR,
    RVOS_RGBX,
    RVOS_BGRX,
    RVOS_XRGB,
    RVOS_XBGR,
    RVOS_RGBA,
    RVOS_BGRA,
    RVOS_ARGB,
    RVOS_ABGR,
    RVOS_NV12,    /* two planes: Y, then Cb and Cr in turn */
    RVOS_I420,    /* three planes: Y, Cb, Cr */
    RVOS_NV21,    /* NV12 with Cr before Cb */
    RVOS_Y42B,    /* as I420, but chroma has all rows */
    RVOS_Y444,    /* as I420, but chroma is as large as Y */
    RVOS_YUY2,    /* Y Cb Y Cr */
    RVOS_UYVY,    /* Cb Y Cr Y */
    RVOS_GRAY8,   /* Y alone */
    RVOS_I420_10, /* as I420; lower 10 bits */
    RVOS_Y42B_10, /* as Y42B; lower 10 bits */
    RVOS_Y444_10, /* as Y444; lower 10 bits */
    RVOS_P010,    /* as NV12; upper 10 bits */
} rvos_format;

typedef enum rvos_matrix {
    RVOS_MATRIX_DEFAULT = 0, /* BT.601 up to 576 rows, else BT.709 */
    RVOS_MATRIX_BT601,
    RVOS_MATRIX_BT709,
    RVOS_MATRIX_BT2020,
} rvos_matrix;

typedef struct rvos_colorimetry {
    rvos_matrix matrix;
    bool full_range; /* luma 0..255 instead of 16..235 */
} rvos_colorimetry;

typedef struct rvos_image {
    rvos_format format;
    rvos_memory memory;
    int width, height;
    void *plane[3];               /* only rvos_draw and rvos_set_alpha write to them */
    ptrdiff_t stride[3];          /* bytes from one row to the next */
    rvos_colorimetry colorimetry; /* for formats with luma */
    void *cuda_stream; /* with RVOS_MEMORY_CUDA: the CUstream that writes the pixels;
                          NULL: they are ready */
} rvos_image;

/* One byte per pixel: 0 is background, i is object i. Or soft foreground, 0 to 255. */
typedef struct rvos_labels {
    rvos_memory memory;
    int width, height;
    uint8_t *data;
    ptrdiff_t stride; /* bytes from one row to the next */
    int step;         /* bytes from one pixel to the next, for an alpha channel; 0: 1 */
} rvos_labels;

/* ---- stream: one thread at a time; streams of one model run in parallel - */

typedef struct rvos_stream rvos_stream;

/* Which recurrences run: the paper's ST, S and T. */
typedef enum rvos_variant {
    RVOS_VARIANT_SPATIO_TEMPORAL = 0,
    RVOS_VARIANT_SPATIAL,  /* no hidden state from the previous frame */
    RVOS_VARIANT_TEMPORAL, /* none from the previous object, except in frame 0 */
} rvos_variant;

typedef struct rvos_stream_params {
    rvos_task task; /* RVOS_ERR_WRONG_TASK if the model lacks the decoder */
    rvos_variant variant;
    int objects;    /* slots, 1..RVOS_MAX_OBJECTS; 0: the model's. Each costs
                       rvos_model_info.object_macs per frame */
    bool all_slots; /* one-shot: run every slot from the first frame on, as the published
                       code does. If false, slots above the highest seeded one are
                       skipped. That does not change the others. An object that is seeded
                       later then starts from zero state; in the published code its slot
                       has followed an empty mask */
    int discovery_interval; /* RVOS_TASK_AUTO: frames between two searches for new
                               objects; 0: 15; negative: search only at the beginning and
                               after rvos_stream_discover */
} rvos_stream_params;

typedef struct rvos_stream_info {
    rvos_task task;
    int objects;        /* slots */
    int live;           /* the last frame ran or showed slots 1 to live */
    bool discovering;   /* RVOS_TASK_AUTO: the last frame ran the zero-shot decoder, so it
                           took longer */
    int64_t frames;     /* run by the network since the last reset */
    size_t state_bytes; /* recurrent state on the device; constant */
    int batch;          /* streams in the last frame's pass, including this one */
} rvos_stream_info;

/* Slow for the first stream of its task, variant and number of objects, because it makes
 * a plan. With batching some later calls make plans, too. Running streams are not held
 * up. */
RVOS_API int rvos_stream_open(rvos_stream **out, rvos_model *model,
                              const rvos_stream_params *params);
RVOS_API void rvos_stream_close(rvos_stream **stream);
RVOS_API void rvos_stream_get_info(const rvos_stream *stream, rvos_stream_info *info);

/* Both are optional and take work away from the first frame. warm_up runs the plan once
 * on scratch state; prepare makes the tables for a frame size. */
RVOS_API int rvos_stream_warm_up(rvos_stream *stream);
RVOS_API int rvos_stream_prepare(rvos_stream *stream, int frame_width, int frame_height);

/* Forgets the video so far and pending seeds. Call it after a seek or a cut. */
RVOS_API void rvos_stream_reset(rvos_stream *stream);

#define RVOS_ALL_SLOTS UINT32_MAX

/* RVOS_TASK_AUTO. The zero-shot decoder runs for the first frames. Their output is its
 * foreground, each connected piece in a slot of its own. Then the one-shot decoder
 * follows these pieces in the same slots. It runs as many slots as there are objects, so
 * it costs as much as one-shot. Every discovery_interval frames, and when all objects are
 * lost, the zero-shot decoder also runs for some frames, on the same image features. It
 * runs more often for 30 frames after an object was lost. Its foreground may become an
 * object in a free slot, restore lost parts of an object, or end one. rvos_object.serial
 * tells apart the objects that have used a slot.
 *
 * rvos_stream_seed and rvos_stream_drop work as in a one-shot stream. A seeded object is
 * followed until it is dropped or seeded with an empty mask. A dropped object is not
 * found again at the same place for some time. The thresholds and slots of rvos_output
 * change what is shown, not what is followed. */

/* Searches for objects from the next frame on, for example after the scene has changed
 * without a cut. RVOS_ERR_WRONG_TASK unless the stream is an AUTO stream. */
RVOS_API int rvos_stream_discover(rvos_stream *stream);

/* A part of the frame, as fractions of its size: 0, 0, 1, 1 is the whole frame. Width and
 * height must be above 0. */
typedef struct rvos_box {
    float x, y, width, height;
} rvos_box;

/* Tells an AUTO stream that a detector has seen an object in this box of the next frame.
 * The zero-shot decoder runs on that frame. The object is the decoder's foreground in or
 * close to the box. If there is little, it is the whole box. The object is followed from
 * the frame after that on. Like a found object, it frees its slot if it is lost for long.
 * Nothing happens if the slot is taken by then or the box is outside the frame.
 * RVOS_ERR_WRONG_TASK unless the stream is an AUTO stream. */
RVOS_API int rvos_stream_seed_box(rvos_stream *stream, int object, const rvos_box *box);

/* Gives a one-shot or AUTO stream the masks of its objects in the next frame. Sets the
 * slots whose bit is in `slots` (bit i - 1 is object i), leaves the others to the
 * network. A slot without a pixel in `masks` becomes empty. May be called before any
 * frame, for objects that appear later. `masks` may have any size (it is scaled by
 * nearest neighbour), lies in host memory and is copied. Labels above the stream's
 * objects count as background. A bit above them is RVOS_ERR_ARGUMENT, except in
 * RVOS_ALL_SLOTS. A zero-shot stream gives RVOS_ERR_WRONG_TASK. Before the first seed all
 * slots of a one-shot stream are empty, and rvos_stream_process fills in background
 * without running the network. As in the published code, the masks of the first frame are
 * fed to the second one, too. */
RVOS_API int rvos_stream_seed(rvos_stream *stream, const rvos_labels *masks,
                              uint32_t slots);

/* Forgets one object, 1..objects: its hidden state and mask become zero before the next
 * frame. A zero-shot stream may put another object in the slot. */
RVOS_API int rvos_stream_drop(rvos_stream *stream, int object);

/* A threshold with which every pixel belongs to an object. (0 means the default.) */
#define RVOS_NO_BACKGROUND 1e-9f

/* What to compute from a frame. `labels` and `alpha` are filled; each may have any size.
 *
 * The rule for labels: the network's logits are upsampled (bilinear, corners aligned) to
 * the output's size. A pixel belongs to the slot with the largest logit (the lowest such
 * slot) if that is at least the logit of `threshold`, else to the background. */
typedef struct rvos_output {
    const rvos_labels *labels; /* NULL: none */
    /* Soft foreground: 255 times the largest object probability. NULL: none. */
    const rvos_labels *alpha;
    float threshold;     /* least probability of an object pixel; 0: 0.5; or
                            RVOS_NO_BACKGROUND */
    int min_object_size; /* in pixels of `labels`; smaller objects are left out and
                            reported absent; 0: none */
    uint32_t hidden;     /* slots (bit i - 1 is object i) to leave out of the labels;
                            rvos_stream_get_object still reports them */
} rvos_output;

/* Segments the next frame. Returns when the outputs are written, also those in device
 * memory. If `out` is NULL, only the state advances. */
RVOS_API int rvos_stream_process(rvos_stream *stream, const rvos_image *frame,
                                 const rvos_output *out);

typedef struct rvos_object {
    bool present;            /* has a pixel in the labels */
    int x, y, width, height; /* its box in the labels */
    int64_t area;            /* its pixels in the labels */
    double score;            /* mean probability over its pixels at network size */
    uint32_t serial; /* RVOS_TASK_AUTO: number of the object in this slot, also while it
                        is not visible; from 1, never used twice in a stream. 0: the slot
                        is free, or the task is another */
} rvos_object;

/* One object, 1..objects, of the last frame that filled labels; zeroes if it is
 * absent. */
RVOS_API int rvos_stream_get_object(rvos_stream *stream, int object, rvos_object *info);

/* For evaluation: the last frame's probabilities of one object at network size. `out` has
 * room for height rows of width floats, without padding (rvos_model_info). Zeroes before
 * the first frame and for a slot that did not run. */
RVOS_API int rvos_stream_read_mask(rvos_stream *stream, int object, float *out);

/* For parity checks: the half-size logits, before the last upsampling and the sigmoid:
 * *height rows of *width floats. If `out` is NULL, only the size is returned. */
RVOS_API int rvos_stream_read_logits(rvos_stream *stream, int object, float *out,
                                     int *width, int *height);

/* ---- where the time goes ------------------------- */

/* One step of a frame. Alike steps are merged: the cells of a level for all objects, or
 * the bands of a convolution. */
typedef struct rvos_step {
    char name[64];  /* such as "layer1.0.conv1" or "cell 2" */
    char way[32];   /* of a convolution, such as "Winograd 4x4" or "oneDNN 2.6.3" */
    int parts;      /* parts that threads take one by one */
    double seconds; /* CPU time of all threads in one frame: the sum over the parts of
                       each part's minimum over the timed frames. The minimum hides other
                       load on the machine */
    double macs;    /* multiply-accumulates of the direct convolution */
    double flops;   /* multiplications and additions that are executed: fewer with
                       Winograd's method, whose transforms are not counted */
    double bytes;   /* read and written, weights included, each once per part */
} rvos_step;

/* Turns the timing of steps on or off and forgets earlier times. Streams of the same
 * model, task, variant and number of objects share the setting. RVOS_ERR_UNSUPPORTED if
 * the backend cannot time steps (CUDA). */
RVOS_API int rvos_stream_time_steps(rvos_stream *stream, bool on);
/* Returns the number of steps that have run since then, or a negative rvos_status. Fills
 * up to `room` of them, in the order of a frame. */
RVOS_API int rvos_stream_read_steps(rvos_stream *stream, rvos_step *out, int room);

/* Returns the objects in a label image (host memory): bit i - 1 for object i,
 * 1..RVOS_MAX_OBJECTS; 0 if the view is not valid. Sets *highest, if not NULL, to the
 * highest label below 255 (DAVIS's "ignore"), which may be above RVOS_MAX_OBJECTS. */
RVOS_API uint32_t rvos_labels_slots(const rvos_labels *labels, int *highest);

/* ---- drawing ------------------------------------------------------------ */

typedef struct rvos_palette {
    uint8_t rgb[RVOS_MAX_OBJECTS + 1][3]; /* [0]: background */
} rvos_palette;

/* The colours of the DAVIS and PASCAL VOC annotations: red, green, olive... */
RVOS_API extern const rvos_palette rvos_davis_palette;

typedef struct rvos_draw_params {
    const rvos_palette *palette; /* NULL: rvos_davis_palette */
    float opacity;               /* opacity of the tint, 0..1; 0: contours only */
    int contour;  /* width in pixels of the line along an object's inner edge; 0: none */
    bool replace; /* instead of tinting objects, paint all pixels, background too, in
                     opaque palette colours */
} rvos_draw_params;

/* Draws the objects of `labels` on `image`, in place. Both have the same size and memory.
 * If params is NULL, the opacity is 0.5 and the contour 2 pixels wide. Alpha is not
 * changed. */
RVOS_API int rvos_draw(rvos_device *device, const rvos_image *image,
                       const rvos_labels *labels, const rvos_draw_params *params);

/* Copies soft foreground into the alpha of RGBA, BGRA, ARGB or ABGR. Both have the same
 * size and memory. Other formats are RVOS_ERR_ARGUMENT. */
RVOS_API int rvos_set_alpha(rvos_device *device, const rvos_image *image,
                            const rvos_labels *alpha);

#ifdef __cplusplus
}
#endif
#endif /* RVOS_H */
