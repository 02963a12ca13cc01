package dev.panatune.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoLeaks.class)
class OpTest {
  @Test
  void missingArgumentsTakeTheSchemasDefaults() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor x = Tensor.ofFloats(new float[] {1, 2}, 2);
      assertArrayEquals(new float[] {2, 4}, Op.find("aten::add", "Tensor").call(x, x).toFloats());
      assertArrayEquals(
          new float[] {4, 8}, Op.find("aten::add", "Tensor").call(x, x, 3).toFloats());
    }
  }

  @Test
  void everyKindOfArgumentArrives() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor x = Tensor.ofFloats(new float[] {1, 2, 3, 4}, 2, 2);
      assertArrayEquals(
          new float[] {3, 7}, Op.find("aten::sum", "dim_IntList").call(x, 1).toFloats());
      assertArrayEquals(
          new float[] {10},
          Op.find("aten::sum", "dim_IntList").call(x, new long[] {0, 1}).toFloats());
      assertEquals(DType.FLOAT64, Op.find("aten::sum", "").call(x, DType.FLOAT64).dtype());
      assertEquals(
          "mean",
          assertThrows(TensorException.class, () -> Op.find("aten::gelu", "").call(x, "mean"))
                  .getMessage()
                  .contains("approximate")
              ? "mean"
              : "");
      Tensor index = Tensor.ofLongs(new long[] {1}, 1);
      assertArrayEquals(
          new float[] {2, 4},
          Op.find("aten::index", "Tensor").call(x, new Tensor[] {null, index}).toFloats());
      assertArrayEquals(
          new float[] {0, 0.5f, 1}, Op.find("aten::linspace", "").call(0, 1.0, 3).toFloats());
      Tensor upsampled =
          Op.find("aten::upsample_nearest1d", "vec")
              .call(x.view(1, 2, 2), null, new double[] {2.0});
      assertArrayEquals(new long[] {1, 2, 4}, upsampled.shape());
    }
  }

  @Test
  void listsOfResultsAreFlattenedWhateverTheirNumber() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor[] many = new Tensor[300];
      for (int i = 0; i < many.length; i++) {
        many[i] = Tensor.full(i, DType.FLOAT32, 2);
      }
      Tensor[] doubled = Op.find("aten::_foreach_mul", "Scalar").callAll(many, 2.0);
      assertEquals(300, doubled.length);
      assertEquals(598f, doubled[299].toFloats()[0]);
      Op.find("aten::_foreach_mul_", "Scalar").run(many, 3.0);
      assertEquals(897f, many[299].toFloats()[0]);
      assertEquals(600, scope.size());
    }
  }

  @Test
  void tooManyResultsAreAnErrorAndNotALeak() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor x = Tensor.zeros(DType.FLOAT32, 100);
      assertThrows(TensorException.class, () -> Op.find("aten::split", "Tensor").callAll(x, 1, 0));
      assertEquals(1, scope.size());
    }
  }

  @Test
  void missingGradientsComeBackAsNull() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor x = Tensor.ones(DType.FLOAT32, 2).requiresGrad(true);
      Tensor y = Tensor.ones(DType.FLOAT32, 2).requiresGrad(true);
      Tensor[] gradients =
          Autograd.grad(new Tensor[] {x.mul(3).sum()}, new Tensor[] {null}, new Tensor[] {x, y});
      assertArrayEquals(new float[] {3, 3}, gradients[0].toFloats());
      assertNull(gradients[1]);
    }
  }

  @Test
  void errorsNameTheOperatorAndTheArgument() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor x = Tensor.zeros(DType.FLOAT32, 2, 3);
      assertMessage("aten::no_such", () -> Op.find("aten::no_such", ""));
      assertMessage("dim0", () -> Op.find("aten::transpose", "int").call(x, "first", 1));
      assertMessage("other", () -> Op.find("aten::add", "Tensor").call(x));
      assertMessage(
          "takes 3 arguments, not 4", () -> Op.find("aten::add", "Tensor").call(x, x, 1, 1));
      assertMessage("2x3", () -> x.mm(x));
      assertMessage("does not return one tensor", () -> Op.find("aten::topk", "").call(x, 1));
      assertMessage(
          "no argument of type", () -> Op.find("aten::neg", "").call(new StringBuilder()));
    }
  }

  /** Calls of one or two tensors go without boxes: their arguments are lent, not counted. */
  @Test
  void argumentsOutliveTheCallsTheyAreIn() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor x = Tensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      Op mm = Op.find("aten::mm", "");
      for (int i = 0; i < 3; i++) {
        assertMessage("mat1 and mat2", () -> mm.call(x, x));
        assertMessage("missing", () -> mm.call(x));
        assertMessage("mat2", () -> mm.call(x, null));
      }
      assertArrayEquals(new float[] {14, 32, 32, 77}, mm.call(x, x.t()).toFloats());
      assertArrayEquals(
          new float[] {-1, -2, -3, -4, -5, -6}, Op.find("aten::neg", "").call(x).toFloats());
      assertArrayEquals(new float[6], Op.find("aten::sub", "Tensor").call(x, x).toFloats());
      assertArrayEquals(new float[6], Op.find("aten::rsub", "Tensor").call(x, x).toFloats());
    }
  }

  @Test
  void integersAndBooleansComeBack() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor x = Tensor.zeros(DType.FLOAT32, 2, 3);
      assertEquals(3, Op.find("aten::size", "int").callLong(x, 1));
      assertTrue(x.equal(x));
      assertTrue(!x.equal(x.add(1)));
    }
  }

  private static void assertMessage(String part, Runnable call) {
    var error = assertThrows(TensorException.class, call::run);
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }
}
