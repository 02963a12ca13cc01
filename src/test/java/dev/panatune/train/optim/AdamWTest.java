package dev.panatune.train.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.TrainingException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;

/** Compares AdamW and clipping with PyTorch's. */
class AdamWTest {
  private static AdamW optimizer(SequencedMap<String, Tensor> parameters) {
    return new AdamW(ParameterGroup.split(parameters, 0.1), 0.8, 0.99, 1e-6);
  }

  @Test
  void clippedStepsAreThoseOfPyTorch() throws IOException {
    JsonNode fixture = fixture();
    try (TensorScope _ = TensorScope.open()) {
      SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
      for (var entry : fixture.get("values").properties()) {
        parameters.put(
            entry.getKey(), tensor(fixture, entry.getKey(), entry.getValue()).requiresGrad(true));
      }
      try (AdamW optimizer = optimizer(parameters)) {
        for (JsonNode step : fixture.get("steps")) {
          for (var entry : step.get("gradients").properties()) {
            parameters
                .get(entry.getKey())
                .setGrad(tensor(fixture, entry.getKey(), entry.getValue()));
          }
          double norm = step.get("norm").doubleValue();
          assertEquals(norm, optimizer.step(step.get("rate").doubleValue(), 1, 1.0), 1e-6 * norm);
          optimizer.zeroGrad();
          for (var entry : step.get("values").properties()) {
            float[] wanted = floats(entry.getValue());
            assertArrayEquals(wanted, parameters.get(entry.getKey()).toFloats(), 2e-6f);
          }
        }
      }
    }
  }

  @Test
  void aParameterWithoutAGradientIsNamed() {
    try (TensorScope _ = TensorScope.open()) {
      SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
      parameters.put("lost.weight", Tensor.zeros(DType.FLOAT32, 2, 3).requiresGrad(true));
      try (AdamW optimizer = optimizer(parameters)) {
        TrainingException e = assertThrows(TrainingException.class, () -> optimizer.step(1, 1, 0));
        assertTrue(e.getMessage().contains("lost.weight [2, 3]"), e.getMessage());
      }
    }
  }

  @Test
  void closingFreesTheMoments() {
    try (TensorScope _ = TensorScope.open()) {
      SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
      parameters.put("a.weight", Tensor.zeros(DType.FLOAT32, 256, 16).requiresGrad(true));
      long tensors = TensorScope.liveTensors();
      long bytes = NativeMemory.liveBytes();
      AdamW optimizer = optimizer(parameters);
      assertEquals(
          List.of("exp_avg.a.weight", "exp_avg_sq.a.weight", "step"),
          List.copyOf(optimizer.state().sequencedKeySet()));
      assertTrue(NativeMemory.liveBytes() >= bytes + 2 * 256 * 16 * 4);
      optimizer.close();
      assertEquals(tensors, TensorScope.liveTensors());
      assertEquals(bytes, NativeMemory.liveBytes());
    }
  }

  private static Tensor tensor(JsonNode fixture, String name, JsonNode values) {
    long[] shape = new long[fixture.get("shapes").get(name).size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = fixture.get("shapes").get(name).get(i).longValue();
    }
    return Tensor.ofFloats(floats(values), shape);
  }

  private static float[] floats(JsonNode values) {
    float[] floats = new float[values.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = values.get(i).floatValue();
    }
    return floats;
  }

  private static JsonNode fixture() throws IOException {
    try (InputStream in = AdamWTest.class.getResourceAsStream("/dev/panatune/train/adamw.json")) {
      return new ObjectMapper().readTree(in);
    }
  }
}
