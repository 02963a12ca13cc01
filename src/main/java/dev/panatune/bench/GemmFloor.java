package dev.panatune.bench;

import dev.panatune.model.CausalLM;
import dev.panatune.nn.LinearLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The time that no training step of frozen weights can do without: the products of all linear
 * layers and the head with their input, and with the gradient of their output; and of a prompt, the
 * products of the layers with their input. They are libtorch's own, on operands that are ready in
 * the type in which this machine multiplies fastest, float32 or the compute type, into memory that
 * is there already.
 */
final class GemmFloor {
  private static final Op MM_OUT = Op.find("aten::mm", "out");

  /** The head's rows at a time, so that the floor does not need room for all logits. */
  private static final long ROWS = 512;

  /** The side of a square product that a machine multiplies about as fast as it can. */
  private static final long PEAK_SIDE = 2048;

  private static final int ROUNDS = 3;
  private static final double SMALL_SHARE = 0.02;

  private GemmFloor() {}

  /**
   * Linear layers of one size.
   *
   * @param in features of the input
   * @param out features of the output
   * @param count how many there are
   */
  record Shape(long in, long out, long count) {
    double products(long rows) {
      return 4.0 * rows * in * out * count;
    }
  }

  /** Returns the sizes of a model's linear layers, its head among them, before it is adapted. */
  static List<Shape> shapes(CausalLM model) {
    return shapes(linearLayers(model));
  }

  /** Returns the same without the head, which of a prompt computes a single row. */
  static List<Shape> shapesBelowHead(CausalLM model) {
    return shapes(linearLayers(model).filter(layer -> layer != model.head()));
  }

  private static Stream<LinearLayer> linearLayers(CausalLM model) {
    return model
        .namedModules()
        .map(Map.Entry::getValue)
        .filter(LinearLayer.class::isInstance)
        .map(LinearLayer.class::cast);
  }

  private static List<Shape> shapes(Stream<LinearLayer> layers) {
    return layers
        .map(layer -> new Shape(layer.inFeatures(), layer.outFeatures(), 1))
        .collect(
            Collectors.groupingBy(Function.identity(), LinkedHashMap::new, Collectors.counting()))
        .entrySet()
        .stream()
        .map(same -> new Shape(same.getKey().in(), same.getKey().out(), same.getValue()))
        .toList();
  }

  /**
   * Times them: the least of three rounds. Beside them a large square product, the machine's peak:
   * {@code peak_seconds} is what they would take at its rate.
   *
   * @param rows tokens a step
   * @param compute the type that the step computes in
   */
  static Map<String, Object> measure(List<Shape> shapes, long rows, DType compute) {
    try (GradMode _ = GradMode.disable()) {
      DType fastest = fastest(shapes, rows, compute);
      double seconds = 0;
      double operations = 0;
      for (Shape shape : shapes) {
        seconds += shape.count() * seconds(shape, rows, fastest, true);
        operations += shape.products(rows);
      }
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("floor_seconds", seconds);
      result.put("floor_dtype", fastest.torchName());
      result.put("floor_gflops", operations / seconds / 1e9);
      Shape square = new Shape(PEAK_SIDE, PEAK_SIDE, 1);
      double peak = square.products(PEAK_SIDE) / seconds(square, PEAK_SIDE, fastest, true);
      result.put("peak_gflops", peak / 1e9);
      result.put("peak_seconds", operations / peak);
      return result;
    }
  }

  /**
   * Times the products with the input alone: the least of three rounds, in seconds.
   *
   * @param rows tokens of the text
   * @param compute the type that the model computes in
   */
  static double forwardSeconds(List<Shape> shapes, long rows, DType compute) {
    try (GradMode _ = GradMode.disable()) {
      DType fastest = fastest(shapes, rows, compute);
      return shapes.stream()
          .mapToDouble(shape -> shape.count() * seconds(shape, rows, fastest, false))
          .sum();
    }
  }

  /** Tried on few rows: a type that the machine emulates takes hundreds of times as long. */
  private static DType fastest(List<Shape> shapes, long rows, DType compute) {
    if (compute == DType.FLOAT32) {
      return compute;
    }
    Shape smallest = shapes.stream().min(Comparator.comparing(s -> s.in() * s.out())).orElseThrow();
    long few = Math.max(1, Math.min(rows, (long) (SMALL_SHARE * rows) + 1));
    double inCompute = seconds(smallest, few, compute, true);
    return inCompute <= seconds(smallest, few, DType.FLOAT32, true) ? compute : DType.FLOAT32;
  }

  /**
   * Seconds of one layer's product over all rows, and of that of its output's gradient if asked.
   */
  private static double seconds(Shape shape, long rows, DType dtype, boolean backward) {
    try (TensorScope _ = TensorScope.open()) {
      long chunk = Math.min(rows, shape.out() > shape.in() * ROWS / 16 ? ROWS : rows);
      Tensor weight = random(dtype, shape.out(), shape.in());
      Tensor input = random(dtype, chunk, shape.in());
      Tensor output = random(dtype, chunk, shape.out());
      Tensor transposed = weight.t();
      double least = Double.POSITIVE_INFINITY;
      for (int round = 0; round <= ROUNDS; round++) {
        long start = System.nanoTime();
        MM_OUT.call(input, transposed, output).close();
        if (backward) {
          MM_OUT.call(output, weight, input).close();
        }
        // The first round only wakes the threads.
        if (round > 0) {
          least = Math.min(least, (System.nanoTime() - start) / 1e9);
        }
      }
      return least * rows / chunk;
    }
  }

  private static Tensor random(DType dtype, long... shape) {
    return Tensor.randn(DType.FLOAT32, shape).mul(1e-2).to(dtype);
  }
}
