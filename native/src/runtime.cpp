// Versions, threads, random numbers.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "abi.h"
#include "cpu.h"

using namespace panatune;

int32_t pt_version(int32_t* abi, const char** torch_version, pt_error* error) {
  return protect(error, [&] {
    *abi = PT_ABI_VERSION;
    *torch_version = TORCH_VERSION;
  });
}

int32_t pt_describe(char* text, int64_t capacity, pt_error* error) {
  return protect(error, [&] {
    TORCH_CHECK_VALUE(capacity > 0, "no room for the description");
    std::string description = at::show_config() + "\nCPU capability: " + at::get_cpu_capability() + "\n" +
                              at::get_parallel_info() + "\nPanatune kernels: " + cpu_kernels() + "\n";
    size_t length = std::min(description.size(), static_cast<size_t>(capacity - 1));
    std::memcpy(text, description.data(), length);
    text[length] = '\0';
  });
}

int32_t pt_threads_set(int32_t intra_op, pt_error* error) {
  return protect(error, [&] {
    TORCH_CHECK_VALUE(intra_op > 0, "the number of threads must be at least 1, not ", intra_op);
    at::set_num_threads(intra_op);
  });
}

int32_t pt_threads_get(int32_t* intra_op, pt_error* error) {
  return protect(error, [&] { *intra_op = at::get_num_threads(); });
}

int32_t pt_threads_observed(int32_t* count, pt_error* error) {
  return protect(error, [&] {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    at::parallel_for(0, 64L * at::get_num_threads(), 1, [&](int64_t, int64_t) {
      std::lock_guard<std::mutex> lock(mutex);
      seen.insert(std::this_thread::get_id());
    });
    *count = static_cast<int32_t>(seen.size());
  });
}

int32_t pt_cuda_devices(int32_t* count, pt_error* error) {
  return protect(error, [&] {
    *count = at::globalContext().hasCUDA()
                 ? static_cast<int32_t>(at::globalContext().getAcceleratorHooksInterface(at::kCUDA).deviceCount())
                 : 0;
  });
}

int32_t pt_rng_seed(uint64_t seed, pt_error* error) {
  return protect(error, [&] { at::manual_seed(seed); });
}

int32_t pt_rng_get_state(pt_tensor* state, pt_error* error) {
  return protect(error, [&] {
    auto generator = at::detail::getDefaultCPUGenerator();
    std::lock_guard<std::mutex> lock(generator.mutex());
    *state = give(generator.get_state());
  });
}

int32_t pt_rng_set_state(pt_tensor state, pt_error* error) {
  return protect(error, [&] {
    auto generator = at::detail::getDefaultCPUGenerator();
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(borrow(state));
  });
}
