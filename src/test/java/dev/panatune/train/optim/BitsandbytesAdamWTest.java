package dev.panatune.train.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.kernels.CpuPath;
import dev.panatune.quant.DynamicMap;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.tensor.Threads;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares with bitsandbytes, bit for bit. */
@ExtendWith(NoLeaks.class)
class BitsandbytesAdamWTest {
  private static final double[] RATES = {3e-3, 1e-2, 5e-4, 2e-3};
  private static final String START = "start.";

  @ParameterizedTest
  @CsvSource({"8, ''", "32, ''", "8, isa=plain", "32, isa=plain", "8, kernels=composite"})
  void weightsAndStatesHaveTheBitsOfBitsandbytes(int bits, String path) throws URISyntaxException {
    try (TensorScope _ = TensorScope.open();
        CpuPath _ = CpuPath.use(path)) {
      Map<String, Tensor> golden = golden();
      SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
      for (String name : List.of("weight", "small.bias", "embed.weight")) {
        parameters.put(name, golden.get(START + name).clone().requiresGrad(true));
      }
      try (Optimizer optimizer =
          new BitsandbytesAdamW(
              ParameterGroup.split(parameters, 0.1),
              0.8,
              0.99,
              1e-6,
              name -> bits == 8 && !name.startsWith("embed"))) {
        for (int step = 0; step < RATES.length; step++) {
          for (Map.Entry<String, Tensor> entry : parameters.entrySet()) {
            entry.getValue().setGrad(golden.get("gradient." + step + "." + entry.getKey()));
          }
          optimizer.step(RATES[step], 1, 0);
          optimizer.zeroGrad();
        }
        Map<String, Tensor> found = new LinkedHashMap<>(optimizer.state());
        assertEquals(RATES.length, found.remove("step").item());
        found.putAll(parameters);
        found.forEach((name, tensor) -> {
          Tensor expected = golden.get(bits + "." + name);
          assertEquals(expected.dtype(), tensor.dtype(), name);
          assertTrue(expected.equal(tensor.detach()), name);
        });
        assertEquals(
            golden.keySet().stream().filter(name -> name.startsWith(bits + ".")).count(),
            found.size());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "kernels=composite"})
  void scalesAndClipsTheGradientsOfAllParametersTogether(String path) {
    try (TensorScope _ = TensorScope.open();
        CpuPath _ = CpuPath.use(path)) {
      Rng.seed(5);
      Tensor[] gradients = {
        Tensor.randn(DType.FLOAT32, 70, 70), Tensor.randn(DType.FLOAT32, 5000).mul(30)
      };
      double norm = 0.25 * Tensor.cat(0, gradients[0].view(-1), gradients[1]).norm().item();
      double factor = 0.25 * Math.min(1, 2 / (norm + 1e-6));
      Tensor clipped = updated(gradients, 0.25, 2, norm);
      Tensor[] scaled = {gradients[0].mul(factor), gradients[1].mul(factor)};
      Tensor wanted = updated(scaled, 1, 0, norm * factor / 0.25);
      assertEquals(0, clipped.sub(wanted).norm().item(), 1e-6 * wanted.norm().item());
    }
  }

  /** Returns both parameters after an update of one with codes and one without. */
  private static Tensor updated(Tensor[] gradients, double scale, double maxNorm, double norm) {
    SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
    parameters.put("weight", Tensor.zeros(DType.FLOAT32, 70, 70).requiresGrad(true));
    parameters.put("embed", Tensor.zeros(DType.FLOAT32, 5000).requiresGrad(true));
    try (Optimizer optimizer =
        new BitsandbytesAdamW(
            ParameterGroup.split(parameters, 0.1), 0.8, 0.99, 1e-2, "weight"::equals)) {
      parameters.get("weight").setGrad(gradients[0]);
      parameters.get("embed").setGrad(gradients[1]);
      assertEquals(norm, optimizer.step(1e-2, scale, maxNorm), 1e-6 * norm);
      return Tensor.cat(0, parameters.get("weight").view(-1), parameters.get("embed")).detach();
    }
  }

  @Test
  void theNumberOfThreadsChangesNoBitAndInfinityTouchesNothing() {
    int threads = Threads.intraOp();
    try (TensorScope _ = TensorScope.open()) {
      Rng.seed(6);
      Tensor[] gradients = {Tensor.randn(DType.FLOAT32, 70, 70), Tensor.randn(DType.FLOAT32, 5000)};
      double norm = Tensor.cat(0, gradients[0].view(-1), gradients[1]).norm().item();
      Threads.setIntraOp(1);
      Tensor one = updated(gradients, 1, 1, norm);
      Threads.setIntraOp(4);
      assertTrue(one.equal(updated(gradients, 1, 1, norm)));
      gradients[1].fill_(Float.POSITIVE_INFINITY);
      assertEquals(0, updated(gradients, 1, 1, Double.POSITIVE_INFINITY).norm().item());
    } finally {
      Threads.setIntraOp(threads);
    }
  }

  @Test
  void theTablesAreThoseOfBitsandbytes() throws URISyntaxException {
    try (TensorScope _ = TensorScope.open();
        DynamicMap signed = DynamicMap.signed();
        DynamicMap unsigned = DynamicMap.unsigned()) {
      assertTrue(golden().get("qmap1").equal(signed.code()));
      assertTrue(golden().get("qmap2").equal(unsigned.code()));
    }
  }

  @Test
  void eightBitStatesTakeAQuarterOfTheMemory() {
    try (TensorScope _ = TensorScope.open()) {
      SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
      parameters.put("weight", Tensor.zeros(DType.FLOAT32, 256, 256).requiresGrad(true));
      try (Optimizer optimizer =
          new BitsandbytesAdamW(ParameterGroup.split(parameters, 0), 0.9, 0.999, 1e-8, _ -> true)) {
        assertEquals(
            List.of("state1.weight", "state2.weight", "absmax1.weight", "absmax2.weight", "step"),
            List.copyOf(optimizer.state().sequencedKeySet()));
        long bytes = optimizer.state().values().stream().mapToLong(t -> t.toBytes().length).sum();
        assertTrue(bytes < 2 * 256 * 256 * 1.02, "" + bytes);
      }
    }
  }

  private static Map<String, Tensor> golden() throws URISyntaxException {
    return TensorFile.read(
        Path.of(BitsandbytesAdamWTest.class.getResource("bitsandbytes_adamw.safetensors").toURI()));
  }
}
