package dev.panatune.bench;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What a call from Java costs beside the work that libtorch does. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 20, time = 1)
@Fork(
    value = 1,
    jvmArgs = {"--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-Xmx256m"})
public class TensorBenchmark {
  private static final int LARGE = 64 << 20;

  private TensorScope scope;
  private Tensor left;
  private Tensor right;
  private Tensor large;
  private MemorySegment largeMemory;

  @Setup(Level.Iteration)
  public void open() {
    scope = TensorScope.open();
    left = Tensor.ones(DType.FLOAT32, 2, 2);
    right = Tensor.ones(DType.FLOAT32, 2, 2);
    large = Tensor.zeros(DType.UINT8, LARGE);
    largeMemory = Arena.ofAuto().allocate(LARGE);
  }

  @TearDown(Level.Iteration)
  public void close() {
    scope.close();
  }

  /** Adds two 2x2 tensors and frees the result. */
  @Benchmark
  public void addAndFree() {
    left.add(right).close();
  }

  /** The same in a scope of its own. */
  @Benchmark
  public long addInScope() {
    try (TensorScope inner = TensorScope.open()) {
      left.add(right);
      return inner.size();
    }
  }

  /** One extent of a shape. */
  @Benchmark
  public long readMetadata() {
    return left.size(1);
  }

  /** 64 MiB of Java's memory as a tensor: as quick as a small one, since nothing is copied. */
  @Benchmark
  public void tensorOfSegment() {
    Tensor.of(largeMemory, DType.UINT8, LARGE).close();
  }

  /** A tensor's 64 MiB as a segment, likewise. */
  @Benchmark
  public MemorySegment segmentOfTensor() {
    try (TensorScope _ = TensorScope.open()) {
      return large.detach().segment();
    }
  }
}
