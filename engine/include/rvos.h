/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rvos.h - segment the objects of a video, frame by frame.
 *
 *     rvos_device   where work runs: the CPU, or one CUDA device
 *     rvos_model    weights on a device; immutable, shared by many streams
 *     rvos_stream   the recurrent state of one video
 *
 * The network is RVOS (Ventura et al., "RVOS: End-to-End Recurrent Network for
 * Video Object Segmentation", CVPR 2019): a residual encoder, and four levels of
 * ConvLSTM that are recurrent over the objects of a frame and over frames
 * (equations 1 to 3 of the paper). Object i of one frame is object i of the next.
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
 * Ownership: whoever opens a handle closes it. Each object holds a reference
 * on the one above it, so handles may be closed in any order. Closing takes
 * the handle's address, sets it to NULL, and does nothing for NULL.
 *
 * Errors: functions that can fail return 0, or a negative rvos_status with
 * *out set to NULL. What went wrong is told, in words, to the device's log
 * callback. The library never exits, aborts or prints by itself.
 *
 * fork: a device and all that is on it belong to the process that opened them. In a child
 * functions that can fail return RVOS_ERR_DEVICE, without a line in the log, whose locks
 * another thread may have held at the fork; those that close return at once, set the
 * handle to NULL and leave the memory to the end of the process. A child may open a
 * device of its own.
 *
 * Parameters: a params struct of zeroes is the default, as is NULL (rvos_draw
 * alone tells them apart); it need live only for the call.
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
    RVOS_ERR_FORMAT = -5,      /* it was read, and is no model we know */
    RVOS_ERR_WRONG_TASK = -6,  /* the model has no decoder for this task */
    RVOS_ERR_UNSUPPORTED = -7, /* not in this build or on this device */
    RVOS_ERR_DEVICE = -8,      /* the device failed: close all that is on it */
} rvos_status;

/* Never NULL, also for numbers that are no rvos_status. */
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
    int threads;         /* the device's own CPU threads; 0: as many as
                            rvos_default_threads() says */
    /* Called from any thread that calls into the library or belongs to it, one
     * line at a time, without a newline: valid UTF-8 without control characters,
     * whatever files and their names hold. Must not call back into the library. */
    void (*log)(void *opaque, rvos_log_level level, const char *line);
    void *log_opaque;
} rvos_device_params;

/* Never NULL, "" where there is nothing to say; live as long as the device. */
typedef struct rvos_device_info {
    const char *backend; /* "cpu", "cuda" or "reference" */
    const char *name;    /* of the processor */
    const char *library; /* such as "oneDNN 2.6.3" or "cuDNN 9.14.0" */
    const char *isa;     /* what it uses, such as "avx512_core" or "sm_90" */
    int threads;         /* that compute: the device's own, or 1 if none of them
                            could be started and the callers' compute */
    int threads_refused; /* that the system did not give, as at a limit of
                            processes; frames then take longer */
} rvos_device_info;

/* The cores that the process may use by its affinity mask, or fewer where a control
 * group, such as a container's, has a quota of CPU time. */
RVOS_API int rvos_default_threads(void);

/* The backend that a device tries first if none is named: "cuda" with RVOS_CUDA=1 in the
 * environment, else "cpu", as long as CUDA has not been run on a GPU. */
RVOS_API const char *rvos_default_backend(void);

RVOS_API int rvos_device_open(rvos_device **out, const rvos_device_params *params);
RVOS_API void rvos_device_close(rvos_device **device);
RVOS_API void rvos_device_get_info(const rvos_device *device, rvos_device_info *info);

/* ---- model: thread-safe ------------------------------------------------- */

typedef struct rvos_model rvos_model;

typedef enum rvos_task {
    RVOS_TASK_DEFAULT = 0,        /* zero-shot if the file can, else one-shot */
    RVOS_TASK_ZERO_SHOT = 1 << 0, /* finds the objects by itself */
    RVOS_TASK_ONE_SHOT = 1 << 1,  /* follows what rvos_stream_seed shows it */
    RVOS_TASK_AUTO = 1 << 2,      /* finds objects as zero-shot does, then follows each
                                     as one-shot does; takes both decoders */
} rvos_task;

/* Of operands; sums are fp32. What a backend lacks: RVOS_ERR_UNSUPPORTED. */
typedef enum rvos_precision {
    RVOS_PRECISION_DEFAULT = 0, /* the backend's: fp32 on a CPU, fp16 on CUDA */
    RVOS_PRECISION_FP32,        /* throughout; never TF32 */
    RVOS_PRECISION_TF32,
    RVOS_PRECISION_FP16,
    RVOS_PRECISION_BF16, /* coarse: never a default; on a CPU without it: a warning in the
                            log, and FP32 */
} rvos_precision;

/* Batching: with max_batch above 1, on a backend that can (CUDA; the CPU runs
 * frames one after another: 1), streams of the same task, variant and objects whose
 * frames come at about the same time are run in one pass, each in its own state.
 *
 * Threads: none are made for it. Each stream is processed by a thread of its own, as
 * ever; one of those that wait in rvos_stream_process runs the pass for all. Streams that
 * one thread processes in turn never meet, and only wait in vain.
 *
 * Latency: a frame waits for the passes that run, or are due to frames that came before
 * it, and once, up to batch_wait_us, for frames of other streams: not at all when
 * max_batch frames are there or no stream is missing. A stream that others have waited
 * for in vain is not waited for again before its next frame. With batch_wait_us 0 only
 * frames that queued up behind a pass run together.
 *
 * Fairness: frames run in the order in which they came.
 *
 * Memory: the 2nd, 3rd, 5th and 9th stream that is open at a time makes, in
 * rvos_stream_open, a further plan (of up to 2, 4, 8, 16 frames), about that many times
 * the size of the first, which stays until the model is closed. Most of it is scratch,
 * which the larger plans have in common where the GPU's virtual memory allows that (all
 * that librvos knows do): then they take about as much as the largest. If there is no
 * memory for one, a warning says so, and passes stay smaller.
 *
 * Failure: a pass that fails, unless the device has failed, is run again frame by frame,
 * so that each stream gets its own status. */
typedef struct rvos_model_params {
    int max_batch;     /* most streams run in one pass, 1 to RVOS_MAX_BATCH; 0: 1 */
    int batch_wait_us; /* longest a frame waits for other streams' frames, in
                          microseconds; without meaning when max_batch is 1 */
    int width, height; /* network size, each from 32 to 4096; 0: the file's */
    rvos_precision precision;
} rvos_model_params;

/* Strings are never NULL and live as long as the model. */
typedef struct rvos_model_info {
    const char *encoder;              /* such as "resnet18" */
    const char *skip_mode;            /* "concat", "sum", "mul" or "none" */
    const char *licence, *provenance; /* of the weights; "" if the file is silent */
    unsigned tasks;         /* the rvos_task bits that the file has decoders for; of
                               both decoders also RVOS_TASK_AUTO */
    int width, height;      /* the network size in use: frames are resized to it */
    int objects;            /* slots it was trained with: a stream's default */
    int hidden;             /* channels of the coarsest hidden state */
    int kernel_size;        /* of skip, gate and output convolutions: 1 or 3 */
    int64_t parameters;     /* of the encoder and all decoders, as used */
    int64_t encoder_macs;   /* multiply-accumulates a frame, skips included */
    int64_t object_macs;    /* and for each object, gates as published */
    size_t weights_bytes;   /* taken on the device by now; grows with plans */
    int max_batch;          /* in effect: what was asked for and the backend can do */
    int64_t frames, passes; /* of all streams by now, and the passes they took */
} rvos_model_info;

/* Reads a .safetensors file written by data/convert.py. The file stays open while the
 * model lives, and is read again when rvos_stream_open makes a plan. To replace it rename
 * a new file over it, or delete it: the model keeps the old one. If it is written to or
 * cut short in place, rvos_stream_open gives RVOS_ERR_IO from then on, where it needs
 * weights; streams that are open go on. It is never a signal. */
RVOS_API int rvos_model_load(rvos_model **out, rvos_device *device, const char *path,
                             const rvos_model_params *params);
RVOS_API void rvos_model_close(rvos_model **model);
RVOS_API void rvos_model_get_info(const rvos_model *model, rvos_model_info *info);
/* In which it computes; of a model never RVOS_PRECISION_DEFAULT. */
RVOS_API rvos_precision rvos_model_precision(const rvos_model *model);

/* ---- pixels: borrowed views; nothing is kept after the call ------------- */

typedef enum rvos_memory { RVOS_MEMORY_HOST, RVOS_MEMORY_CUDA } rvos_memory;

/* Bytes in memory order. Alpha is neither read nor drawn on. NV12, NV21, I420 and those
 * of 10 bits like them have chroma planes of (width + 1) / 2 by (height + 1) / 2 samples.
 * A pixel pair of YUY2 and UYVY has 4 bytes, also the last one where the width is odd. 10
 * bits are in two bytes, the lower one first. CUDA takes formats up to RVOS_I420 only:
 * others are RVOS_ERR_UNSUPPORTED there. */
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
    RVOS_NV12,
    RVOS_I420,
    RVOS_NV21,    /* NV12 with Cr before Cb */
    RVOS_Y42B,    /* three planes; chroma of half the width */
    RVOS_Y444,    /* three planes of the same size */
    RVOS_YUY2,    /* Y Cb Y Cr */
    RVOS_UYVY,    /* Cb Y Cr Y */
    RVOS_GRAY8,   /* Y alone */
    RVOS_I420_10, /* as I420; the value is in the lower 10 bits */
    RVOS_Y42B_10, /* as Y42B, likewise */
    RVOS_Y444_10, /* as Y444, likewise */
    RVOS_P010,    /* as NV12; the value is in the upper 10 bits */
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
    void *plane[3];
    ptrdiff_t stride[3];          /* bytes from one row to the next */
    rvos_colorimetry colorimetry; /* of formats with luma */
    void *cuda_stream;            /* of RVOS_MEMORY_CUDA: the CUstream in which the
                                     pixels become ready; NULL: they are ready */
} rvos_image;

/* One byte a pixel: 0 is background, i is object i. */
typedef struct rvos_labels {
    rvos_memory memory;
    int width, height;
    uint8_t *data;
    ptrdiff_t stride; /* bytes from one row to the next */
    int step; /* bytes from one pixel to the next, as for an alpha channel; 0: 1 */
} rvos_labels;

/* ---- stream: one thread at a time; streams of one model run in parallel - */

typedef struct rvos_stream rvos_stream;

/* Which recurrences run: the paper's ST, S and T. */
typedef enum rvos_variant {
    RVOS_VARIANT_SPATIO_TEMPORAL = 0,
    RVOS_VARIANT_SPATIAL,  /* no hidden state from the last frame */
    RVOS_VARIANT_TEMPORAL, /* none from the object before, but at frame 0 */
} rvos_variant;

typedef struct rvos_stream_params {
    rvos_task task; /* what the model cannot do: RVOS_ERR_WRONG_TASK */
    rvos_variant variant;
    int objects;            /* slots, 1..RVOS_MAX_OBJECTS; 0: the model's own. Each costs
                               rvos_model_info.object_macs a frame */
    bool all_slots;         /* one-shot: run every slot from the first frame on, as the
                               published code does. Otherwise the slots above the highest
                               that has been seeded are skipped, which is exact for those
                               below; a later object then starts without the history of
                               an empty mask that the published code gives it */
    int discovery_interval; /* RVOS_TASK_AUTO: frames from one look for further objects
                               to the next; 0: 15; negative: only at the beginning and
                               after rvos_stream_discover */
} rvos_stream_params;

typedef struct rvos_stream_info {
    rvos_task task;
    int objects;        /* slots */
    int live;           /* slots that the last frame ran or showed, from 1 on */
    bool discovering;   /* RVOS_TASK_AUTO: the last frame ran the zero-shot decoder: it
                           took longer than others */
    int64_t frames;     /* that the network has run since the last reset */
    size_t state_bytes; /* of recurrent state on the device: fixed */
    int batch;          /* streams in the pass of the last frame, this one included */
} rvos_stream_info;

/* Slow for the first stream of its task, variant and objects: makes a plan. With
 * batching also for some later ones; streams that run are not held up. */
RVOS_API int rvos_stream_open(rvos_stream **out, rvos_model *model,
                              const rvos_stream_params *params);
RVOS_API void rvos_stream_close(rvos_stream **stream);
RVOS_API void rvos_stream_get_info(const rvos_stream *stream, rvos_stream_info *info);

/* Both optional, so that no frame pays for being the first. warm_up runs the
 * plan once on scratch state; prepare makes what depends on the frame's size. */
RVOS_API int rvos_stream_warm_up(rvos_stream *stream);
RVOS_API int rvos_stream_prepare(rvos_stream *stream, int frame_width, int frame_height);

/* Forget the video so far, seeds too: after a seek or a cut. */
RVOS_API void rvos_stream_reset(rvos_stream *stream);

#define RVOS_ALL_SLOTS UINT32_MAX

/* RVOS_TASK_AUTO. The zero-shot decoder runs for the first frames, whose foreground is
 * shown, each connected piece in a slot of its own. Then the one-shot decoder follows
 * these pieces, in the same slots, with as many slots as there are objects; so it costs
 * what one-shot costs. Every discovery_interval frames, and when all objects are lost,
 * the zero-shot decoder runs again for some frames, beside it and on the same image
 * features. What it finds there may become an object in a free slot, mend one that has
 * lost parts, or end one. rvos_object.serial tells the objects of a slot apart.
 *
 * rvos_stream_seed and rvos_stream_drop work as in a one-shot stream. An object that was
 * seeded is followed until it is dropped, or seeded empty. What was dropped is not found
 * again at the same place right away. The thresholds and slots of rvos_output concern
 * what is shown, not what is followed. */

/* An AUTO stream: look for objects from the next frame on, such as after a change of the
 * scene that is no cut. Other streams: RVOS_ERR_WRONG_TASK. */
RVOS_API int rvos_stream_discover(rvos_stream *stream);

/* A part of the frame: 0, 0, 1, 1 is all of it. */
typedef struct rvos_box {
    float x, y, width, height;
} rvos_box;

/* An AUTO stream: in this box of the next frame there is an object, as a detector has
 * seen it. The zero-shot decoder runs on that frame. What it takes for foreground in the
 * box or close to it is the object; the whole box, if that is little. It is followed from
 * the frame after that one on, like an object that was found: when it is lost for long,
 * its slot is free again. Nothing happens if the slot has an object by then, or the box
 * is off the frame. Other streams: RVOS_ERR_WRONG_TASK. */
RVOS_API int rvos_stream_seed_box(rvos_stream *stream, int object, const rvos_box *box);

/* Show a one-shot stream its objects as they are in the next frame. Sets the
 * slots that have their bit in `slots` (bit i - 1 is object i; one without a
 * pixel in `masks` becomes empty) and leaves the others to the network. May
 * come before any frame, for objects that appear later; of any size (scaled by
 * nearest neighbour); host memory; copied. Labels above the stream's objects
 * count as background. A slot above them: RVOS_ERR_ARGUMENT, except in
 * RVOS_ALL_SLOTS. Before the first seed all slots are empty and process() fills
 * in background without running the network. As in the published code, what
 * the first frame is shown is shown to the second one again. */
RVOS_API int rvos_stream_seed(rvos_stream *stream, const rvos_labels *masks,
                              uint32_t slots);

/* Forget one object, 1..objects: its hidden state and mask become zero before
 * the next frame. A zero-shot stream may find another for the slot. */
RVOS_API int rvos_stream_drop(rvos_stream *stream, int object);

/* As a threshold: every pixel belongs to an object. (0 is the default.) */
#define RVOS_NO_BACKGROUND 1e-9f

/* What to make of a frame. `labels` and `alpha` are filled, each of any size.
 *
 * The rule for labels: the network's logits are upsampled (bilinear, corners
 * aligned) to the output's size; a pixel gets the slot of the largest (of equal
 * ones the lowest slot) where that is at least the logit of `threshold`. */
typedef struct rvos_output {
    const rvos_labels *labels; /* NULL: none */
    const rvos_labels *alpha;  /* soft foreground, 255 x the largest object
                                  probability; NULL: none */
    float threshold;           /* least probability of an object pixel; 0: 0.5; or
                                  RVOS_NO_BACKGROUND */
    int min_object_size;       /* objects of fewer pixels are left out and reported
                                  absent, in pixels of `labels`; 0: none */
    uint32_t hidden;           /* slots (bit i - 1 is object i) that are left out, but
                                  are reported by rvos_stream_get_object all the same */
} rvos_output;

/* Segment the next frame. Blocks. `out` may be NULL: only the state advances. */
RVOS_API int rvos_stream_process(rvos_stream *stream, const rvos_image *frame,
                                 const rvos_output *out);

typedef struct rvos_object {
    bool present;            /* has a pixel in the labels */
    int x, y, width, height; /* its box there */
    int64_t area;            /* its pixels there */
    double score;            /* mean probability over its pixels at network size */
    uint32_t serial; /* RVOS_TASK_AUTO: of the object in this slot, also while it is
                        hidden; from 1; no other object of this stream ever gets it.
                        0: the slot is free, or a stream of another task */
} rvos_object;

/* One object, 1..objects, of the last frame that filled labels; zeroes if it is
 * not there. */
RVOS_API int rvos_stream_get_object(rvos_stream *stream, int object, rvos_object *info);

/* The last frame's probabilities of one object, network-sized (height x width,
 * row by row); for evaluation. Before the first frame, and for a slot that did
 * not run: zeroes. */
RVOS_API int rvos_stream_read_mask(rvos_stream *stream, int object, float *out);

/* The same before the last upsampling and the sigmoid: the half-size logits, of
 * *height x *width; `out` may be NULL, to ask for the size. For parity checks. */
RVOS_API int rvos_stream_read_logits(rvos_stream *stream, int object, float *out,
                                     int *width, int *height);

/* ---- where the time goes: for those who measure ------------------------- */

/* One step of a frame, with all that is alike: the cells of a level for all objects, or
 * the bands that a convolution is cut into. */
typedef struct rvos_step {
    char name[64];  /* such as "layer1.0.conv1" or "cell 2" */
    char way[32];   /* of convolutions, such as "Winograd 4x4" or "oneDNN 2.6.3" */
    int parts;      /* that threads take one by one */
    double seconds; /* of the threads' CPU time in one frame, together: of each part the
                       least of all frames that were timed, so that what else the machine
                       does hardly shows */
    double macs;    /* multiply-accumulates as a direct convolution has them */
    double flops;   /* multiplications and additions that are done: of Winograd's method
                       fewer, and without its transforms */
    double bytes;   /* read and written, weights included, each once a part */
} rvos_step;

/* Whether the frames to come are timed step by step; forgets what was timed before.
 * Streams of the same model, task, variant and objects share this. RVOS_ERR_UNSUPPORTED
 * where a backend cannot: CUDA. */
RVOS_API int rvos_stream_time_steps(rvos_stream *stream, bool on);
/* The steps that have run since, in the order of a frame; fills up to `room`. How many
 * there are, or a negative rvos_status. */
RVOS_API int rvos_stream_read_steps(rvos_stream *stream, rvos_step *out, int room);

/* Which objects a label image holds: bit i - 1 for object i, 1..RVOS_MAX_OBJECTS.
 * *highest, if wanted, is the highest label below 255 (DAVIS's "ignore"), also where
 * that is above RVOS_MAX_OBJECTS. Host memory; 0 for a view that is not valid. */
RVOS_API uint32_t rvos_labels_slots(const rvos_labels *labels, int *highest);

/* ---- drawing ------------------------------------------------------------ */

typedef struct rvos_palette {
    uint8_t rgb[RVOS_MAX_OBJECTS + 1][3]; /* [0] is the background's */
} rvos_palette;

/* The colours of the DAVIS and PASCAL VOC annotations: red, green, olive... */
RVOS_API extern const rvos_palette rvos_davis_palette;

typedef struct rvos_draw_params {
    const rvos_palette *palette; /* NULL: rvos_davis_palette */
    float opacity;               /* of the tint, 0..1; 0: contours only */
    int contour;                 /* width of the line along an object's inner edge,
                                    in pixels; 0: none */
    bool replace;                /* paint opaque palette colours over all pixels,
                                    background too, instead of tinting objects */
} rvos_draw_params;

/* Draw the objects of `labels` on `image` in place. Same size, same memory. NULL
 * params: a tint of 0.5 and a contour of 2. Alpha is left as it is. */
RVOS_API int rvos_draw(rvos_device *device, const rvos_image *image,
                       const rvos_labels *labels, const rvos_draw_params *params);

/* Copy a plane of one byte a pixel into the alpha of RGBA, BGRA, ARGB or ABGR. Same
 * size, same memory. */
RVOS_API int rvos_set_alpha(rvos_device *device, const rvos_image *image,
                            const rvos_labels *alpha);

#ifdef __cplusplus
}
#endif
#endif /* RVOS_H */
