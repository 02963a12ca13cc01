package dev.panatune.tensor;

import dev.panatune.bindings.panatune_h;
import dev.panatune.bindings.pt_memory_stats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What tensors hold of the host's memory, counted exactly by the CPU allocator. */
public final class NativeMemory {
  private NativeMemory() {}

  record Stats(long liveHandles, long liveBytes, long peakBytes, long cachedBytes) {}

  /** Bytes of all tensors that are alive, in Java or in autograd's graph. */
  public static long liveBytes() {
    return read().liveBytes();
  }

  /** The largest {@link #liveBytes} since the last {@link #resetPeak}. */
  public static long peakBytes() {
    return read().peakBytes();
  }

  /** Bytes of freed blocks that are kept for reuse. */
  public static long cachedBytes() {
    return read().cachedBytes();
  }

  public static void resetPeak() {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_memory_reset_peak(context.error));
  }

  /** Gives the cached blocks back to the operating system. */
  public static void trim() {
    CallContext context = CallContext.current();
    context.check(panatune_h.pt_memory_trim(context.error));
  }

  static Stats read() {
    CallContext context = CallContext.current();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stats = arena.allocate(pt_memory_stats.layout());
      context.check(panatune_h.pt_memory_read(stats, context.error));
      return new Stats(
          pt_memory_stats.live_handles(stats),
          pt_memory_stats.live_bytes(stats),
          pt_memory_stats.peak_bytes(stats),
          pt_memory_stats.cached_bytes(stats));
    }
  }
}
