package dev.panatune.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PythonPeersTest {
  private static final TrainJob JOB =
      new TrainJob(Path.of("m"), false, DType.FLOAT32, 4, 512, 4, false, 2, true);

  @Test
  void aPythonThatIsNotThereIsRefused() {
    assertTrue(
        assertThrows(
                ConfigurationException.class,
                () -> PythonPeers.find(Optional.of(Path.of("no/such/python")), Optional.empty()))
            .getMessage()
            .contains("no/such/python"));
  }

  @Test
  void namesSayWhatAPeerDoes() {
    PythonPeers python =
        new PythonPeers(Path.of("python"), Path.of("bench/peers"), Optional.of(DType.BFLOAT16));
    Side side = TrainPeer.of("peft-qlora-tuned-bf16").side(python, JOB);
    assertEquals("qlora", side.group());
    assertEquals(true, side.job().get("quantized"));
    assertEquals("bfloat16", side.job().get("dtype"));
    assertEquals(true, side.job().get("bf16_adapters"));
    assertEquals(false, side.job().get("compiled"));
    assertEquals(PythonPeers.TUNED_MALLOC, side.environment());
    assertTrue(Files.exists(Path.of(side.command().getLast())), side.command()::toString);
    assertTrue(
        assertThrows(ConfigurationException.class, () -> TrainPeer.of("peft"))
            .getMessage()
            .contains("peft-lora-compiled-tuned"));
  }
}
