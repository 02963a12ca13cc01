/*
 * The part of libbitsandbytes' C ABI that Panatune binds, as bitsandbytes 0.50.2 exports it. The library itself has no
 * C header.
 *
 * Builds differ in what they export, so nothing here is declared as a function to link to: every family of functions
 * with one signature is a pointer type, and its symbols are looked up by name when they are wanted. Names are listed
 * with the type; {a,b} stands for one of a and b.
 *
 * A 16-bit float is a uint16_t with its bits. All functions work on contiguous memory and check nothing: what they
 * write past, or abort on, is the caller's to prevent.
 */
#ifndef BITSANDBYTES_H
#define BITSANDBYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- libbitsandbytes_cpu --- */

/*
 * cquantize_blockwise_cpu_{fp32,bf16,fp16}: n elements to 8 bits with a table of 256 ascending values.
 * Since 0.50 through 65,536 bins, so not always to the nearest value; up to 0.49 it wrote -1 into code[0].
 */
typedef void (*bnb_quantize_blockwise_cpu)(float* code, const void* input, float* absmax, uint8_t* out,
                                           long long blocksize, long long n);

/* cdequantize_blockwise_cpu_{fp32,bf16,fp16} */
typedef void (*bnb_dequantize_blockwise_cpu)(float* code, uint8_t* input, const float* absmax, void* out,
                                             long long blocksize, long long n);

/*
 * cdequantize_blockwise_cpu_{nf4,fp4}_{fp32,bf16,fp16}: m rows of n elements, n even.
 * With AVX512 the scales are taken by row: right only where n is a multiple of blocksize. A tensor of whole blocks is
 * safe as m = elements / blocksize rows of n = blocksize.
 */
typedef void (*bnb_dequantize_4bit_cpu)(uint8_t* input, const float* absmax, void* out, long long blocksize,
                                        long long m, long long n);

/* has_avx512f_cpu, has_avx512bf16_cpu */
typedef bool (*bnb_has_feature_cpu)(void);

/* --- libbitsandbytes_cuda*: a CUDA error inside ends the process, so device, size and alignment are checked before ---
 */

/* cquantize_blockwise_{fp16,bf16,fp32}{,_fp4,_nf4}: on the default stream; code is NULL for the 4-bit ones. */
typedef void (*bnb_quantize_blockwise_cuda)(float* code, void* input, float* absmax, uint8_t* out, int blocksize,
                                            int n);

/* cdequantize_blockwise_{fp16,bf16,fp32}{,_fp4,_nf4} */
typedef void (*bnb_dequantize_blockwise_cuda)(float* code, uint8_t* input, float* absmax, void* out, int blocksize,
                                              int n, void* stream);

/* cgemm_4bit_{bf16,fp16,fp32}: out [m, n] from a [m, k] and packed weight [n, k]; quant_type 1 is FP4, 2 is NF4. */
typedef void (*bnb_gemm_4bit_cuda)(const void* a, const uint8_t* b, const float* absmax, const uint8_t* absmax_8bit,
                                   const float* absmax_code, const float* absmax_offset, void* out, const void* bias,
                                   int m, int n, int k, int blocksize, int quant_type, void* stream);

/*
 * c{adam,momentum,rmsprop,lion,adagrad,ademamix}_8bit_blockwise_grad_{fp32,fp16,bf16}: parameter first, then gradient.
 * Blocks of 256.
 */
typedef void (*bnb_optimizer_8bit_blockwise_cuda)(void* parameter, void* gradient, uint8_t* state1, uint8_t* state2,
                                                  float beta1, float beta2, float beta3, float alpha, float eps,
                                                  int step, float lr, float* quantiles1, float* quantiles2,
                                                  float* absmax1, float* absmax2, float weight_decay, float gnorm_scale,
                                                  bool skip_zeros, int n);

/*
 * c{adam,lion,ademamix}32bit_grad_{fp32,fp16,bf16}, c{momentum,rmsprop,adagrad}32bit_grad_{32,16}: gradient first, then
 * parameter.
 */
typedef void (*bnb_optimizer_32bit_cuda)(void* gradient, void* parameter, float* state1, float* state2, float* unorm,
                                         float max_unorm, float param_norm, float beta1, float beta2, float beta3,
                                         float alpha, float eps, float weight_decay, int step, float lr,
                                         float gnorm_scale, bool skip_zeros, int n);

/* cget_managed_ptr: managed memory for paged optimizer states. There is no function that frees it. */
typedef void* (*bnb_get_managed_ptr_cuda)(size_t bytes);

/* cprefetch: device -1 is the host. */
typedef void (*bnb_prefetch_cuda)(void* pointer, size_t bytes, int device);

/* cfill_fp32 */
typedef void (*bnb_fill_fp32_cuda)(float* out, float* unused, float value, long n);

/* cfill_uint8 */
typedef void (*bnb_fill_uint8_cuda)(uint8_t* out, uint8_t* unused, uint8_t value, long n);

#ifdef __cplusplus
}
#endif

#endif
