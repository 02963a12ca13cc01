// A CPU allocator that counts exactly and keeps large blocks: a block of some MB that is faulted in anew
// each training step costs more than the arithmetic on it.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>

#include "abi.h"

namespace panatune {
namespace {

constexpr size_t alignment = 64;  // of the data: a cache line, a whole vector register
constexpr size_t large_bytes = size_t{1} << 20;

struct Header {
  size_t requested;
  size_t capacity;  // whole bytes of a large block, header included; 0 for a small one
  void* block;      // where it begins
};

// Room for the header, and for moving the data behind it to an aligned address.
constexpr size_t extra_bytes = 2 * alignment;
static_assert(sizeof(Header) + alignment <= extra_bytes);

Header& header_of(void* data) { return *(static_cast<Header*>(data) - 1); }

// Eight sizes to a power of two: a freed block serves requests of nearly its size, at most 12.5 % is lost.
size_t size_class(size_t bytes) {
  size_t step = size_t{1} << (60 - __builtin_clzll(bytes));
  return (bytes + step - 1) / step * step;
}

void raise_to(std::atomic<int64_t>& peak, int64_t value) {
  int64_t seen = peak.load(std::memory_order_relaxed);
  while (seen < value && !peak.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

// Large blocks that are free. They never make the process larger than its live blocks once made it.
class BlockCache {
 public:
  void* take(size_t capacity) {
    std::lock_guard<std::mutex> lock(mutex_);
    live_ += capacity;
    peak_live_ = std::max(peak_live_, live_);
    auto found = free_.find(capacity);
    if (found != free_.end()) {
      void* block = found->second;
      free_.erase(found);
      cached_ -= capacity;
      return block;
    }
    while (cached_ > 0 && live_ + cached_ > peak_live_) {
      drop(std::prev(free_.end()));
    }
    void* block = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      live_ -= capacity;
      return nullptr;
    }
    return block;
  }

  void put(void* block, size_t capacity) {
    std::lock_guard<std::mutex> lock(mutex_);
    live_ -= capacity;
    free_.emplace(capacity, block);
    cached_ += capacity;
  }

  void trim() {
    std::lock_guard<std::mutex> lock(mutex_);
    while (!free_.empty()) {
      drop(free_.begin());
    }
    peak_live_ = live_;
  }

  size_t cached() {
    std::lock_guard<std::mutex> lock(mutex_);
    return cached_;
  }

 private:
  void drop(std::multimap<size_t, void*>::iterator entry) {
    munmap(entry->second, entry->first);
    cached_ -= entry->first;
    free_.erase(entry);
  }

  std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  size_t live_ = 0;
  size_t peak_live_ = 0;
  size_t cached_ = 0;
};

class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) {
      return {nullptr, nullptr, &release, c10::Device(c10::kCPU)};
    }
    size_t capacity = 0;
    void* block;
    if (bytes + extra_bytes >= large_bytes) {
      capacity = size_class(bytes + extra_bytes);
      block = blocks.take(capacity);
    } else {
      // Aligned here: glibc has a quick path for malloc that its aligned_alloc lacks.
      block = std::malloc(bytes + extra_bytes);
    }
    TORCH_CHECK_WITH(OutOfMemoryError, block != nullptr, "out of memory: ", bytes, " more bytes were asked for, ",
                     live_bytes.load(), " bytes of tensors are live");
    auto first = reinterpret_cast<uintptr_t>(block) + sizeof(Header);
    auto* data = reinterpret_cast<void*>((first + alignment - 1) / alignment * alignment);
    header_of(data) = {bytes, capacity, block};
    auto size = static_cast<int64_t>(bytes);
    raise_to(peak_bytes, live_bytes.fetch_add(size, std::memory_order_relaxed) + size);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* destination, const void* source, size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }

  static void release(void* data) {
    if (data == nullptr) {
      return;
    }
    Header header = header_of(data);
    live_bytes.fetch_sub(static_cast<int64_t>(header.requested), std::memory_order_relaxed);
    if (header.capacity == 0) {
      std::free(header.block);
    } else {
      blocks.put(header.block, header.capacity);
    }
  }

  static inline std::atomic<int64_t> live_bytes{0};
  static inline std::atomic<int64_t> peak_bytes{0};
  // Never destroyed: tensors of static lifetime are freed after the statics of this library.
  static inline BlockCache& blocks = *new BlockCache();
};

// Before the first tensor: what the former allocator gave must go back to it, and does, by its own deleter.
const bool installed = [] {
  static auto& allocator = *new CountingAllocator();
  c10::SetCPUAllocator(&allocator, 1);
  return true;
}();

}  // namespace
}  // namespace panatune

using namespace panatune;

int32_t pt_memory_read(pt_memory_stats* stats, pt_error* error) {
  return protect(error, [&] {
    stats->live_handles = live_handles.load(std::memory_order_relaxed);
    stats->live_bytes = CountingAllocator::live_bytes.load(std::memory_order_relaxed);
    stats->peak_bytes = CountingAllocator::peak_bytes.load(std::memory_order_relaxed);
    stats->cached_bytes = static_cast<int64_t>(CountingAllocator::blocks.cached());
  });
}

int32_t pt_memory_reset_peak(pt_error* error) {
  return protect(error, [&] { CountingAllocator::peak_bytes.store(CountingAllocator::live_bytes.load()); });
}

int32_t pt_memory_trim(pt_error* error) {
  return protect(error, [&] { CountingAllocator::blocks.trim(); });
}
