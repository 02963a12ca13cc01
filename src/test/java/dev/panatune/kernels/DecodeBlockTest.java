package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.tensor.Threads;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One token through a decoder layer against the plain formula in float64. */
class DecodeBlockTest {
  private static final Op DECODE_BLOCK = Op.find("panatune::decode_block", "");
  private static final int CAPACITY = 45;
  private static final double EPSILON = 1e-3;

  /** How the linear layers are held. */
  private enum Weights {
    DENSE(0),
    /** A part of a wider matrix each: rows are apart. */
    APART(0),
    NF4(64),
    NF4_OF_BLOCKS_OF_128(128),
    NF4_OF_BLOCKS_OF_32(32);

    private final int blockSize;

    Weights(int blockSize) {
      this.blockSize = blockSize;
    }
  }

  /** A layer's sizes and kinds. */
  private record Shape(
      Weights weights,
      long width,
      long heads,
      long kvHeads,
      long depth,
      long inner,
      long rotated,
      long position,
      long window,
      boolean bias,
      boolean headNorms,
      boolean inputNorms,
      boolean outputNorms,
      boolean onePlus,
      String activation) {}

  private static final List<Shape> SHAPES =
      List.of(
          new Shape(
              Weights.DENSE,
              576,
              9,
              3,
              64,
              1536,
              64,
              41,
              0,
              false,
              false,
              true,
              false,
              false,
              "silu"),
          new Shape(
              Weights.APART, 36, 3, 1, 20, 50, 12, 1, 0, true, true, true, true, true, "gelu_tanh"),
          new Shape(
              Weights.DENSE, 17, 2, 2, 10, 7, 0, 44, 9, true, false, false, true, false, "silu"),
          new Shape(
              Weights.NF4, 192, 4, 2, 32, 320, 32, 7, 8, true, true, true, false, false, "silu"),
          new Shape(
              Weights.NF4_OF_BLOCKS_OF_128,
              128,
              2,
              1,
              64,
              384,
              64,
              8,
              8,
              false,
              false,
              true,
              true,
              true,
              "silu"),
          new Shape(
              Weights.NF4_OF_BLOCKS_OF_32,
              64,
              2,
              2,
              24,
              88,
              24,
              30,
              1,
              true,
              false,
              true,
              false,
              false,
              "gelu_tanh"));

  private TensorScope scope;
  private final List<QuantizedTensor> quantized = new ArrayList<>();

  @BeforeEach
  void open() {
    scope = TensorScope.open();
    Rng.seed(3);
  }

  @AfterEach
  void close() {
    quantized.forEach(QuantizedTensor::close);
    scope.close();
  }

  /** A layer's tensors, in the operator's order, and what they mean. */
  private final class Layer {
    private final Shape shape;
    private final DType dtype;
    private final List<Tensor> tensors = new ArrayList<>();
    private final List<Long> layout = new ArrayList<>();
    private final Tensor[] norms;
    private final List<UnaryOperator<Tensor>> linears = new ArrayList<>();
    private final Tensor hidden;
    private final Tensor keys;
    private final Tensor values;
    private final Tensor cos;
    private final Tensor sin;

    Layer(Shape shape, DType dtype) {
      this.shape = shape;
      this.dtype = dtype;
      norms =
          new Tensor[] {
            norm(shape.inputNorms, shape.width),
            norm(shape.headNorms, shape.depth),
            norm(shape.headNorms, shape.depth),
            norm(shape.outputNorms, shape.width),
            norm(shape.inputNorms, shape.width),
            norm(shape.outputNorms, shape.width)
          };
      long queries = shape.heads * shape.depth;
      long others = shape.kvHeads * shape.depth;
      linear(queries, shape.width);
      linear(others, shape.width);
      linear(others, shape.width);
      linear(shape.width, queries);
      linear(shape.inner, shape.width);
      linear(shape.inner, shape.width);
      linear(shape.width, shape.inner);
      hidden = Tensor.randn(DType.FLOAT32, 1, 1, shape.width).to(dtype);
      keys = Tensor.randn(DType.FLOAT32, 1, shape.kvHeads, CAPACITY, shape.depth).to(dtype);
      values = Tensor.randn(DType.FLOAT32, 1, shape.kvHeads, CAPACITY, shape.depth).to(dtype);
      Tensor angles = Tensor.randn(DType.FLOAT32, 1, Math.max(1, shape.rotated / 2));
      cos = shape.rotated == 0 ? null : angles.cos();
      sin = shape.rotated == 0 ? null : angles.sin();
    }

    private Tensor norm(boolean present, long width) {
      layout.add(present ? 1L : 0L);
      if (!present) {
        return null;
      }
      tensors.add(Tensor.randn(DType.FLOAT32, width).to(dtype));
      return tensors.getLast();
    }

    private void linear(long rows, long cols) {
      Tensor bias = shape.bias ? Tensor.randn(DType.FLOAT32, rows).to(dtype) : null;
      Tensor weight = Tensor.randn(DType.FLOAT32, rows, cols).mul(2 / Math.sqrt(cols)).to(dtype);
      int blockSize = shape.weights.blockSize;
      long kind = bias == null ? 0 : 4;
      Tensor exact = weight.to(DType.FLOAT64);
      if (blockSize > 0) {
        boolean nested = linears.size() % 2 == 0;
        QuantConfig config =
            new QuantConfig(QuantType.NF4, blockSize, nested, DType.FLOAT32, List.of());
        QuantizedTensor codes = QuantizedTensor.quantize(weight.to(DType.FLOAT32), config);
        quantized.add(codes);
        Arrays.stream(codes.operands()).filter(Objects::nonNull).forEach(tensors::add);
        exact = codes.dequantize(DType.FLOAT32).to(DType.FLOAT64);
        kind += nested ? 3 : 1;
      } else if (shape.weights == Weights.APART) {
        tensors.add(Tensor.cat(1, weight, weight).narrow(1, 0, cols));
      } else {
        tensors.add(weight);
      }
      if (bias != null) {
        tensors.add(bias);
      }
      layout.addAll(List.of(kind, rows, cols, (long) blockSize));
      Tensor transposed = exact.t();
      linears.add(input -> {
        Tensor product = input.matmul(transposed);
        return bias == null ? product : product.add(bias.to(DType.FLOAT64));
      });
    }

    Tensor run() {
      return DECODE_BLOCK.call(
          hidden,
          tensors.toArray(Tensor[]::new),
          layout.stream().mapToLong(Long::longValue).toArray(),
          keys,
          values,
          shape.position,
          cos,
          sin,
          scale(),
          shape.window,
          EPSILON,
          shape.onePlus,
          shape.activation);
    }

    private double scale() {
      return 1.5 / Math.sqrt(shape.depth);
    }

    /** The formula, from the cache as {@link #run} left it: with this token's keys and values. */
    Tensor exact() {
      Tensor x = hidden.to(DType.FLOAT64).view(1, -1);
      Tensor input = normed(norms[0], x);
      Tensor queries = turned(norms[1], linears.get(0).apply(input).view(-1, shape.depth));
      long first = shape.window == 0 ? 0 : Math.max(0, shape.position + 1 - shape.window);
      long seen = shape.position + 1 - first;
      Tensor attended = attended(queries, seen(keys, first, seen), seen(values, first, seen));
      Tensor between = x.add(normed(norms[3], linears.get(3).apply(attended.reshape(1, -1))));
      Tensor inner = normed(norms[4], between);
      Tensor gate = linears.get(4).apply(inner);
      Tensor active = shape.activation.equals("silu") ? gate.silu() : gate.gelu("tanh");
      Tensor product = active.mul(linears.get(5).apply(inner));
      return between.add(normed(norms[5], linears.get(6).apply(product))).view(1, 1, -1);
    }

    /** This token's key, fp64 [kvHeads, depth]. */
    Tensor exactKey() {
      Tensor input = normed(norms[0], hidden.to(DType.FLOAT64).view(1, -1));
      return turned(norms[2], linears.get(1).apply(input).view(-1, shape.depth));
    }

    private Tensor seen(Tensor cache, long first, long count) {
      return cache.select(0, 0).narrow(1, first, count).to(DType.FLOAT64);
    }

    private Tensor attended(Tensor queries, Tensor keys, Tensor values) {
      long group = shape.heads / shape.kvHeads;
      Tensor scores =
          queries.unsqueeze(1).matmul(keys.repeatInterleave(group, 0).transpose(1, 2)).mul(scale());
      return scores.softmax(-1).matmul(values.repeatInterleave(group, 0));
    }

    private Tensor normed(Tensor weight, Tensor input) {
      if (weight == null) {
        return input;
      }
      Tensor scale = weight.to(DType.FLOAT64).add(shape.onePlus ? 1 : 0);
      return input.mul(input.pow(2).mean(-1, true).add(EPSILON).rsqrt()).mul(scale);
    }

    private Tensor turned(Tensor norm, Tensor heads) {
      Tensor input = normed(norm, heads);
      if (shape.rotated == 0) {
        return input;
      }
      long half = shape.rotated / 2;
      Tensor first = input.narrow(1, 0, half);
      Tensor second = input.narrow(1, half, half);
      Tensor rest = input.narrow(1, 2 * half, shape.depth - 2 * half);
      Tensor c = cos.to(DType.FLOAT64);
      Tensor s = sin.to(DType.FLOAT64);
      return Tensor.cat(1, first.mul(c).sub(second.mul(s)), second.mul(c).add(first.mul(s)), rest);
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void equalsThePlainFormula(String path, DType dtype) {
    double tolerance = Comparison.rounding(dtype) * (path.contains("composite") ? 4 : 1.5);
    try (CpuPath _ = CpuPath.use(path)) {
      for (Shape shape : SHAPES) {
        if (dtype == DType.FLOAT64 && shape.weights.blockSize > 0) {
          continue;
        }
        Layer layer = new Layer(shape, dtype);
        Tensor keysBefore = layer.keys.clone();
        Tensor output = layer.run();
        assertEquals(dtype, output.dtype());
        double distance = Comparison.distance(output, layer.exact());
        assertTrue(distance < tolerance, shape + " is off by " + distance);

        Tensor written = layer.keys.select(0, 0).select(1, shape.position);
        double ofKey = Comparison.distance(written, layer.exactKey());
        assertTrue(ofKey < tolerance, "the key of " + shape + " is off by " + ofKey);
        layer.keys.narrow(2, shape.position, 1).copy_(keysBefore.narrow(2, shape.position, 1));
        assertTrue(layer.keys.equal(keysBefore), "other keys than this token's were written");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("dev.panatune.kernels.CpuPath#withDTypes")
  void isNoWorseThanTheParts(String path, DType dtype) {
    if (!path.isEmpty() || dtype == DType.FLOAT64 || dtype == DType.FLOAT32) {
      return;
    }
    for (Shape shape : SHAPES) {
      Layer layer = new Layer(shape, dtype);
      double fused = Comparison.distance(layer.run(), layer.exact());
      try (CpuPath _ = CpuPath.use("kernels=composite")) {
        double composite = Comparison.distance(layer.run(), layer.exact());
        assertTrue(fused <= composite, shape + ": " + fused + " against " + composite);
      }
    }
  }

  @Test
  void hasTheSameBitsForAnyNumberOfThreads() {
    int threads = Threads.intraOp();
    try {
      for (Shape shape : SHAPES) {
        Layer layer = new Layer(shape, DType.BFLOAT16);
        Threads.setIntraOp(1);
        Tensor alone = layer.run();
        Threads.setIntraOp(3);
        for (int i = 0; i < 20; i++) {
          assertTrue(layer.run().equal(alone), shape.toString());
        }
      }
    } finally {
      Threads.setIntraOp(threads);
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    Layer layer = new Layer(SHAPES.get(1), DType.FLOAT32);
    layer.layout.set(layer.layout.size() - 2, 49L);
    assertTrue(assertThrows(TensorException.class, layer::run).getMessage().contains("down"));
    Layer outside = new Layer(SHAPES.get(0), DType.FLOAT32);
    outside.tensors.removeLast();
    assertTrue(
        assertThrows(TensorException.class, outside::run)
            .getMessage()
            .contains("layout takes more than the"));
  }
}
