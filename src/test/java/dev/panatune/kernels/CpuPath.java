package dev.panatune.kernels;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** Runs the kernels' code for other CPUs, or the plain formulas, until it is closed. */
public final class CpuPath implements AutoCloseable {
  /** The code that this CPU takes by itself first. */
  private static final List<String> PATHS =
      List.of(
          "", "isa=plain", "gemm=fp32", "isa=plain gemm=fp32", "gemm=native", "kernels=composite");

  private static final List<DType> DTYPES =
      List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16, DType.FLOAT64);

  private CpuPath() {}

  /**
   * Takes the path that {@code overrides} names.
   *
   * @param overrides such as {@code isa=plain gemm=fp32}; empty for this CPU's own
   */
  public static CpuPath use(String overrides) {
    Op.find("panatune::set_cpu_kernels", "").run(overrides);
    return new CpuPath();
  }

  /** Every path with every dtype, for a parameterised test (String, DType). */
  static Stream<Arguments> withDTypes() {
    return PATHS.stream().flatMap(path -> DTYPES.stream().map(dtype -> Arguments.of(path, dtype)));
  }

  /** The kernels' own code with both half-precision types, products summed in fp32. */
  static Stream<Arguments> halfPrecisionInFp32() {
    return Stream.of("gemm=fp32", "isa=plain gemm=fp32")
        .flatMap(path ->
            Stream.of(DType.BFLOAT16, DType.FLOAT16).map(dtype -> Arguments.of(path, dtype)));
  }

  @Override
  public void close() {
    use("");
  }
}
