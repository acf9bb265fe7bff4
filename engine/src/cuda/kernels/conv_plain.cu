// SPDX-License-Identifier: LGPL-2.1-or-later
// conv_plain.cu - convolutions of any shape, slow: see conv_plain.c.
#include "kernel.cuh"

#define OUTPUTS 8 // channels of one pixel per thread

static __global__ void conv(struct rv_plain_conv c, const void *x, const void *add,
                            void *y)
{
    RV_THREADS
    {
        int groups = (c.oc + OUTPUTS - 1) / OUTPUTS, padded = groups * OUTPUTS;
        int i = thread_index(), n = (int)blockIdx.y;
        int first = i % groups * OUTPUTS, pixel = i / groups;
        int x0 = pixel % c.ow * c.stride - c.pad, y0 = pixel / c.ow * c.stride - c.pad;
        size_t out = ((size_t)n * c.oh * c.ow + pixel) * c.oc + first;
        float sum[OUTPUTS];

        if (pixel >= c.oh * c.ow)
            continue;
        for (int j = 0; j < OUTPUTS; j++)
            sum[j] = c.bias[first + j];
        for (int t = 0; t < c.size * c.size; t++) {
            int sy = y0 + t / c.size, sx = x0 + t % c.size;
            size_t in = (((size_t)n * c.ih + sy) * c.iw + sx) * c.ic;
            const float *kernel = c.kernel + (size_t)t * c.ic * padded + first;

            if (sy < 0 || sy >= c.ih || sx < 0 || sx >= c.iw)
                continue;
            for (int k = 0; k < c.ic; k++, kernel += padded) {
                float v = get(x, in + k, c.in);

                for (int j = 0; j < OUTPUTS; j++)
                    sum[j] += v * kernel[j];
            }
        }
        for (int j = 0; j < OUTPUTS && first + j < c.oc; j++) {
            if (add)
                sum[j] += get(add, out + j, c.out);
            put(y, out + j, c.out, c.relu && sum[j] < 0 ? 0 : sum[j]);
        }
    }
}

cudaError_t rv_cuda_conv(struct rv_plain_conv c, const void *x, const void *add, void *y,
                         cudaStream_t stream)
{
    int groups = (c.oc + OUTPUTS - 1) / OUTPUTS;
    dim3 grid(blocks_for((size_t)c.oh * c.ow * groups), (unsigned int)c.n);

    return RV_LAUNCH(conv, grid, RV_BLOCK, stream, c, x, add, y);
}
