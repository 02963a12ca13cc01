// Threads that share the work of several phases, each of which needs all of the one before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace panatune {

// One parallel region for all phases: a phase costs two counters, not the start and end of a region. Threads take the
// chunks of a phase as they come, and a phase is over when its chunks are done, whoever did them: a thread that the
// system has put aside without a chunk keeps nobody waiting until the region's end.
class Team {
 public:
  explicit Team(int phases) : phases_(phases) {}

  // Called by every thread for every phase in order, with the same number of chunks: runs body(i) for those that no
  // other thread takes, and returns when all are done.
  template <class Body>
  void share(int phase, int64_t chunks, const Body& body) {
    Phase& counters = phases_[phase];
    for (int64_t i; (i = counters.taken.fetch_add(1, std::memory_order_relaxed)) < chunks;) {
      body(i);
      counters.done.fetch_add(1, std::memory_order_release);
    }
    for (int spins = 0; counters.done.load(std::memory_order_acquire) < chunks; ++spins) {
      wait(spins);
    }
  }

 private:
  struct alignas(128) Phase {
    std::atomic<int64_t> taken{0};
    alignas(64) std::atomic<int64_t> done{0};
  };

  static void wait(int spins) {
    if (spins > 2000) {
      std::this_thread::yield();
      return;
    }
#if defined(__x86_64__)
    _mm_pause();
#endif
  }

  std::vector<Phase> phases_;
};

}  // namespace panatune
