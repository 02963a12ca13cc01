package dev.panatune.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.tensor.DType;
import dev.panatune.train.OneThread;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(OneThread.class)
class TrainJobTest {
  @TempDir Path cache;

  private static Map<String, Object> run(TrainJob job) throws Exception {
    Map<String, Object> json = new HashMap<>(job.toJson());
    json.put(BenchWorker.STARTED, System.currentTimeMillis() / 1e3);
    return BenchWorker.run(new JsonMapper().writeValueAsString(json));
  }

  private TrainJob job(boolean quantized, boolean checkpointing) {
    return new TrainJob(
        ModelShape.TINY.directory(cache),
        quantized,
        DType.FLOAT32,
        2,
        8,
        3,
        checkpointing,
        1,
        true);
  }

  @Test
  void stepsAreTimedAndTheirLossesToldInBothKinds() throws Exception {
    Map<String, Object> dense = run(job(false, false));
    assertEquals(2, ((List<?>) dense.get("step_seconds")).size());
    assertEquals(3, ((List<?>) dense.get("losses")).size());
    assertEquals(Math.log(256), (Double) ((List<?>) dense.get("losses")).getFirst(), 0.5);
    assertTrue((Double) dense.get("floor_seconds") > 0);
    assertTrue((Double) dense.get("peak_seconds") > 0);
    assertTrue((Double) dense.get("first_step_seconds") > (Double) dense.get("load_seconds"));
    assertEquals(1, dense.get("threads"));
    assertEquals(dense.get("live_bytes_after_first_step"), dense.get("live_bytes_after_last_step"));

    assertEquals(dense.get("losses"), run(job(false, true)).get("losses"));

    Map<String, Object> in4Bits = run(job(true, false));
    // Two layers of seven linear layers with A and B.
    assertEquals("28 of 28 tensors", dense.get("adapter_gradients_in"));
    assertEquals("28 of 28 tensors", in4Bits.get("adapter_gradients_in"));
    List<?> quantized = (List<?>) in4Bits.get("losses");
    assertTrue(!quantized.equals(dense.get("losses")), "nothing was quantised");
  }
}
