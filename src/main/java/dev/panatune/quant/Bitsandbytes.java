package dev.panatune.quant;

import dev.panatune.bindings.bnb_dequantize_4bit_cpu;
import dev.panatune.bindings.bnb_dequantize_blockwise_cpu;
import dev.panatune.bindings.bnb_quantize_blockwise_cpu;
import dev.panatune.natives.NativeLibraries;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The functions of the bitsandbytes library that are there and right.
 *
 * <p>Builds differ in what they export, and not all of it is right on every CPU. So each function
 * is tried when the library is first wanted: weights are quantised, decoded by the library and by
 * our kernel, and a function is used only for the block sizes at which both agree.
 */
public final class Bitsandbytes {
  private static final List<DType> DTYPES = List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16);
  private static final int TRIED_BLOCKS = 3;
  private static final Op QUANTIZE = Op.find("panatune::quantize_4bit", "");
  private static final Op QUANTIZE_SCALES = Op.find("panatune::quantize_blockwise", "");
  private static final Op DEQUANTIZE_SCALES = Op.find("panatune::dequantize_blockwise", "");
  private static final String QUANTIZE_SCALES_SYMBOL = "cquantize_blockwise_cpu_fp32";
  private static final String DEQUANTIZE_SCALES_SYMBOL = "cdequantize_blockwise_cpu_fp32";

  /** A function for one number format and result type. */
  private record Function(QuantType type, DType dtype) {
    String symbol() {
      String suffix =
          switch (dtype) {
            case FLOAT32 -> "fp32";
            case BFLOAT16 -> "bf16";
            default -> "fp16";
          };
      return "cdequantize_blockwise_cpu_" + type.id() + "_" + suffix;
    }
  }

  /** Where a function is, and the block sizes at which it is right. */
  private record Tried(MemorySegment address, List<Integer> blockSizes) {}

  private final Map<Function, Tried> functions = new LinkedHashMap<>();
  private final List<String> findings = new ArrayList<>();

  private static final class Holder {
    static final Bitsandbytes INSTANCE = new Bitsandbytes(NativeLibraries.bitsandbytes());
  }

  /** Tries the functions of a library. */
  Bitsandbytes(Optional<SymbolLookup> library) {
    if (library.isEmpty()) {
      findings.add("bitsandbytes is not installed: our own kernels do its work");
      return;
    }
    for (QuantType type : QuantType.values()) {
      for (DType dtype : DTYPES) {
        tryFunction(new Function(type, dtype), library.get());
      }
    }
    tryScales(library.get());
  }

  /** Returns the library of this process, tried. */
  public static Bitsandbytes instance() {
    return Holder.INSTANCE;
  }

  /**
   * Returns a sentence for everything that is missing, wrong or different; empty where all is
   * right.
   */
  public List<String> findings() {
    return List.copyOf(findings);
  }

  /** Returns whether the library decodes tensors like this. */
  public boolean decodes(QuantType type, DType dtype, int blockSize) {
    Tried tried = functions.get(new Function(type, dtype));
    return tried != null && tried.blockSizes.contains(blockSize);
  }

  /**
   * Decodes through the library.
   *
   * @return the dense tensor in the innermost scope; empty where the library does not decode such a
   *     tensor: see {@link #decodes}, another device than the CPU, a last block that is not full
   */
  Optional<Tensor> dequantize(
      QuantType type, Tensor packed, Tensor scales, int blockSize, long[] shape, DType dtype) {
    long elements = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    boolean suitable =
        elements > 0 && elements % blockSize == 0 && packed.device().kind() == Device.Kind.CPU;
    if (!suitable || !decodes(type, dtype, blockSize)) {
      return Optional.empty();
    }
    Tensor out = Tensor.empty(dtype, shape);
    decode(functions.get(new Function(type, dtype)).address, packed, scales, out, blockSize);
    return Optional.of(out);
  }

  /** One block a row: the library takes the scales by row, and a row must hold whole blocks. */
  private static void decode(
      MemorySegment function, Tensor packed, Tensor scales, Tensor out, int blockSize) {
    bnb_dequantize_4bit_cpu.invoke(
        function,
        MemorySegment.ofAddress(packed.address()),
        MemorySegment.ofAddress(scales.address()),
        MemorySegment.ofAddress(out.address()),
        blockSize,
        out.numel() / blockSize,
        blockSize);
  }

  private void tryFunction(Function function, SymbolLookup library) {
    Optional<MemorySegment> address = library.find(function.symbol());
    if (address.isEmpty()) {
      findings.add("bitsandbytes has no " + function.symbol() + ": our own kernel does its work");
      return;
    }
    List<Integer> right = new ArrayList<>();
    List<Integer> wrong = new ArrayList<>();
    for (int blockSize : QuantConfig.BLOCK_SIZES) {
      (agrees(function, address.get(), blockSize) ? right : wrong).add(blockSize);
    }
    if (!wrong.isEmpty()) {
      findings.add(
          "bitsandbytes' %s gives wrong values for blocks of %s: our own kernel does its work there"
              .formatted(function.symbol(), wrong));
    }
    functions.put(function, new Tried(address.get(), right));
  }

  private static boolean agrees(Function function, MemorySegment address, int blockSize) {
    try (TensorScope _ = TensorScope.open()) {
      long[] shape = {TRIED_BLOCKS, blockSize};
      // Values all over each block, scales that differ from block to block.
      Tensor source = Tensor.arange(0, TRIED_BLOCKS * (long) blockSize, DType.FLOAT32).view(shape);
      Tensor weight = source.mul(0.7).sin().mul(source.add(1));
      Tensor code = Codebooks.of(function.type);
      Tensor[] parts = QUANTIZE.callAll(weight, code, blockSize, function.type.id());
      Tensor expected =
          Dequantizer.withKernel(
              function.type, parts[0], parts[1], code, blockSize, shape, function.dtype);
      Tensor found = Tensor.zeros(function.dtype, shape);
      decode(address, parts[0], parts[1], found, blockSize);
      return found.equal(expected);
    }
  }

  /**
   * The library's 8-bit quantisation of scales is not called, because it changed from release to
   * release; where it is another than ours, so are the nested scales that Python makes with it.
   */
  private void tryScales(SymbolLookup library) {
    Optional<MemorySegment> quantize = library.find(QUANTIZE_SCALES_SYMBOL);
    Optional<MemorySegment> dequantize = library.find(DEQUANTIZE_SCALES_SYMBOL);
    if (quantize.isPresent()
        && dequantize.isPresent()
        && !scalesAgree(quantize.get(), dequantize.get())) {
      findings.add(
          "bitsandbytes quantises scales to other codes than release 0.50: double quantisation"
              + " here and in Python with this library differ");
    }
  }

  private static boolean scalesAgree(MemorySegment quantize, MemorySegment dequantize) {
    try (TensorScope _ = TensorScope.open()) {
      int size = NestedScales.BLOCK_SIZE;
      long count = TRIED_BLOCKS * (long) size - 1;
      Tensor values = Tensor.arange(0, count, DType.FLOAT32).mul(0.7).sin();
      Tensor map = Codebooks.dynamicMap();
      Tensor[] expected = QUANTIZE_SCALES.callAll(values, map, size);
      Tensor codes = Tensor.zeros(DType.UINT8, count);
      Tensor scales = Tensor.zeros(DType.FLOAT32, TRIED_BLOCKS);
      Tensor decoded = Tensor.zeros(DType.FLOAT32, count);
      // Releases up to 0.49 write into the table.
      MemorySegment table = MemorySegment.ofAddress(map.clone().address());
      MemorySegment codesAt = MemorySegment.ofAddress(codes.address());
      MemorySegment scalesAt = MemorySegment.ofAddress(scales.address());
      MemorySegment decodedAt = MemorySegment.ofAddress(decoded.address());
      bnb_quantize_blockwise_cpu.invoke(
          quantize,
          table,
          MemorySegment.ofAddress(values.address()),
          scalesAt,
          codesAt,
          size,
          count);
      bnb_dequantize_blockwise_cpu.invoke(
          dequantize, table, codesAt, scalesAt, decodedAt, size, count);
      Tensor ours = DEQUANTIZE_SCALES.call(codes, scales, map, size, DType.FLOAT32);
      return codes.equal(expected[0]) && scales.equal(expected[1]) && decoded.equal(ours);
    }
  }
}
