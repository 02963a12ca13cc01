package dev.panatune.train.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.quant.DynamicMap;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares with bitsandbytes, bit for bit. */
@ExtendWith(NoLeaks.class)
class BitsandbytesAdamWTest {
  private static final double[] RATES = {3e-3, 1e-2, 5e-4, 2e-3};
  private static final String START = "start.";

  @ParameterizedTest
  @ValueSource(ints = {8, 32})
  void weightsAndStatesHaveTheBitsOfBitsandbytes(int bits) throws URISyntaxException {
    try (TensorScope _ = TensorScope.open()) {
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
