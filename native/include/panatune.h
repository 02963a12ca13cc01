/*
 * The C ABI of Panatune's shim over libtorch.
 *
 * Ownership, the same everywhere: a function that returns a handle gives it away, and the caller frees
 * it (tensors with pt_tensors_free); arguments are borrowed for the length of the call.
 * Handles of operators live as long as the process.
 *
 * Errors: every function returns 0 on success. Otherwise it returns one of PT_ERROR_*, has written a
 * message into *error (which may be NULL), and has given no handle away. Nothing crosses this
 * boundary as an exception.
 *
 * Threads: a tensor may be used from any thread, one at a time. Grad mode and autocast belong to the
 * calling operating-system thread.
 */
#ifndef PANATUNE_H
#define PANATUNE_H

#include <stdint.h>

#if defined(__GNUC__)
#define PT_API __attribute__((visibility("default")))
#else
#define PT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a signature or a struct of this header changes. */
#define PT_ABI_VERSION 1

/* Most dimensions that a tensor may have on this side. */
#define PT_MAX_DIMS 16

typedef struct pt_tensor_handle* pt_tensor;
typedef struct pt_op_handle* pt_op;
typedef struct pt_mapping_handle* pt_mapping;

#define PT_OK 0
#define PT_ERROR_ARGUMENT 1 /* the caller's arguments do not fit */
#define PT_ERROR_TORCH 2    /* libtorch refused or failed */
#define PT_ERROR_MEMORY 3   /* out of memory */
#define PT_ERROR_IO 4       /* a file could not be opened or mapped */
#define PT_ERROR_UNKNOWN 5

typedef struct pt_error {
  int32_t kind;
  int32_t length; /* bytes of the message, UTF-8, without the closing NUL; cut to fit */
  char message[4088];
} pt_error;

/* What a slot of an operator call holds. Lists are arrays of `length` entries at `as.data`. */
#define PT_NONE 0
#define PT_TENSOR 1
#define PT_INT 2
#define PT_DOUBLE 3
#define PT_BOOL 4        /* as.integer is 0 or 1 */
#define PT_STRING 5      /* UTF-8, `length` bytes, no NUL needed */
#define PT_INT_LIST 6    /* int64_t[] */
#define PT_DOUBLE_LIST 7 /* double[] */
#define PT_BOOL_LIST 8   /* uint8_t[] */
#define PT_TENSOR_LIST 9 /* pt_tensor[], NULL where the operator takes optional tensors */
#define PT_DTYPE 10      /* as.integer is a c10::ScalarType */
#define PT_DEVICE 11     /* as.integer is (c10::DeviceType << 32) | (index & 0xffffffff), index -1: current */

typedef struct pt_value {
  int32_t tag;
  int32_t length;
  union {
    int64_t integer;
    double number;
    pt_tensor tensor;
    const void* data;
  } as;
} pt_value;

#define PT_FLAG_REQUIRES_GRAD 1
#define PT_FLAG_LEAF 2
#define PT_FLAG_CONTIGUOUS 4

typedef struct pt_metadata {
  int64_t sizes[PT_MAX_DIMS];
  int64_t strides[PT_MAX_DIMS]; /* in elements */
  int64_t numel;
  void* data;            /* first element, NULL off the CPU */
  int64_t storage_bytes; /* of the storage that the tensor looks into */
  int32_t dims;
  int32_t dtype; /* c10::ScalarType */
  int32_t device_type;
  int32_t device_index;
  int32_t flags;
} pt_metadata;

typedef struct pt_memory_stats {
  int64_t live_handles; /* tensors given away and not yet freed */
  int64_t live_bytes;   /* asked of the CPU allocator and not yet freed */
  int64_t peak_bytes;   /* largest live_bytes since the last reset */
  int64_t cached_bytes; /* kept by the allocator for reuse */
} pt_memory_stats;

/* --- versions and settings (runtime.cpp) --- */

/* PT_ABI_VERSION of the compiled shim, and the libtorch version that it was compiled against. */
PT_API int32_t pt_version(int32_t* abi, const char** torch_version, pt_error* error);
/* Writes libtorch's description of its build, CPU capability and threading into text (cut to fit). */
PT_API int32_t pt_describe(char* text, int64_t capacity, pt_error* error);
PT_API int32_t pt_threads_set(int32_t intra_op, pt_error* error);
PT_API int32_t pt_threads_get(int32_t* intra_op, pt_error* error);
/* How many different threads ran one parallel loop: 1 means that OpenMP is not at work. */
PT_API int32_t pt_threads_observed(int32_t* count, pt_error* error);
PT_API int32_t pt_cuda_devices(int32_t* count, pt_error* error);
PT_API int32_t pt_rng_seed(uint64_t seed, pt_error* error);
/* The state of the default CPU generator, as a uint8 tensor. */
PT_API int32_t pt_rng_get_state(pt_tensor* state, pt_error* error);
PT_API int32_t pt_rng_set_state(pt_tensor state, pt_error* error);

/* --- tensors (tensor.cpp) --- */

PT_API int32_t pt_tensor_metadata(pt_tensor tensor, pt_metadata* metadata, pt_error* error);
/*
 * A contiguous CPU tensor over memory of the caller. *borrows is raised by one now and lowered by one
 * when the last tensor that looks into the memory is gone; the memory must live until then.
 */
PT_API int32_t pt_tensor_from_memory(void* data, const int64_t* sizes, int32_t dims, int32_t dtype, int64_t* borrows,
                                     pt_tensor* result, pt_error* error);
/* A second handle of the same tensor. */
PT_API int32_t pt_tensor_share(pt_tensor tensor, pt_tensor* result, pt_error* error);
/* Frees n handles; NULL entries are passed over. */
PT_API int32_t pt_tensors_free(const pt_tensor* tensors, int32_t n, pt_error* error);

/* --- operators (ops.cpp) --- */

/* The operator `name` ("aten::add") with `overload` ("Tensor", or "" for none). */
PT_API int32_t pt_op_find(const char* name, const char* overload, pt_op* op, pt_error* error);
/*
 * Calls an operator through the dispatcher. Missing trailing arguments take the schema's defaults.
 * Results are written in order, lists of tensors flattened; *count says how many slots were filled.
 */
PT_API int32_t pt_op_call(pt_op op, const pt_value* arguments, int32_t n, pt_value* results, int32_t capacity,
                          int32_t* count, pt_error* error);

/* --- autograd (autograd.cpp) --- */

PT_API int32_t pt_grad_mode_set(int32_t enabled, int32_t* previous, pt_error* error);
PT_API int32_t pt_grad_mode_get(int32_t* enabled, pt_error* error);
PT_API int32_t pt_requires_grad_set(pt_tensor tensor, int32_t requires_grad, pt_error* error);
/* The accumulated gradient; *grad is NULL where there is none. */
PT_API int32_t pt_grad_get(pt_tensor tensor, pt_tensor* grad, pt_error* error);
/* Sets the gradient; NULL removes it. */
PT_API int32_t pt_grad_set(pt_tensor tensor, pt_tensor grad, pt_error* error);
/* gradients may be NULL, or hold NULL for scalar outputs. */
PT_API int32_t pt_backward(const pt_tensor* outputs, const pt_tensor* gradients, int32_t n, int32_t retain_graph,
                           pt_error* error);
/* results has n_inputs entries; NULL where an input is not reached and allow_unused is set. */
PT_API int32_t pt_grad(const pt_tensor* outputs, const pt_tensor* gradients, int32_t n_outputs, const pt_tensor* inputs,
                       int32_t n_inputs, int32_t retain_graph, int32_t allow_unused, pt_tensor* results,
                       pt_error* error);

typedef struct pt_autocast {
  int32_t device_type;
  int32_t enabled;
  int32_t dtype; /* c10::ScalarType */
  int32_t cache;
} pt_autocast;

/* Enters autocast as `wanted` says and writes what was before; pt_autocast_exit restores it. */
PT_API int32_t pt_autocast_enter(const pt_autocast* wanted, pt_autocast* previous, pt_error* error);
PT_API int32_t pt_autocast_exit(const pt_autocast* previous, pt_error* error);
PT_API int32_t pt_autocast_get(int32_t device_type, int32_t* enabled, pt_error* error);

/* --- memory (memory.cpp, mapping.cpp) --- */

PT_API int32_t pt_memory_read(pt_memory_stats* stats, pt_error* error);
PT_API int32_t pt_memory_reset_peak(pt_error* error);
/* Gives all cached blocks back to the operating system. */
PT_API int32_t pt_memory_trim(pt_error* error);

/* Maps a file private and writable: what is written to its tensors stays in this process. */
PT_API int32_t pt_mapping_open(const char* path, pt_mapping* mapping, int64_t* bytes, pt_error* error);
/* A tensor over the mapped bytes; copied where `offset` is not a multiple of the element size. */
PT_API int32_t pt_mapping_tensor(pt_mapping mapping, int64_t offset, const int64_t* sizes, int32_t dims, int32_t dtype,
                                 pt_tensor* result, pt_error* error);
/* Gives the pages that lie wholly inside the range back; a later read fetches them from the file again. */
PT_API int32_t pt_mapping_release(pt_mapping mapping, int64_t offset, int64_t bytes, pt_error* error);
/* Gives up the handle; the mapping itself goes with its last tensor. */
PT_API int32_t pt_mapping_close(pt_mapping mapping, pt_error* error);

#ifdef __cplusplus
}
#endif

#endif
