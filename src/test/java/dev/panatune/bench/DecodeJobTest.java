package dev.panatune.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.cli.TinyModel;
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
class DecodeJobTest {
  @TempDir Path directory;

  private static Map<String, Object> run(DecodeJob job) throws Exception {
    Map<String, Object> json = new HashMap<>(job.toJson());
    json.put(BenchWorker.STARTED, System.currentTimeMillis() / 1e3);
    return BenchWorker.run(new JsonMapper().writeValueAsString(json));
  }

  @Test
  void promptsAndNewTokensAreTimedApart() throws Exception {
    Path model = TinyModel.save(directory.resolve("model"), Map.of());
    List<Integer> prompt = DecodeJob.randomPrompt(model, 9);
    DecodeJob job = new DecodeJob(model, false, DType.FLOAT32, prompt, 5, 2, 1);
    Map<String, Object> result = run(job);
    assertEquals(2, ((List<?>) result.get("decode_tokens_per_second")).size());
    assertEquals(2, ((List<?>) result.get("prefill_tokens_per_second")).size());
    assertTrue((Double) result.get("floor_tokens_per_second") > 0);
    assertEquals(5, ((int[]) result.get("token_ids")).length);
    assertTrue((Double) result.get("first_token_seconds") > 0);

    Map<String, Object> loaded = run(new DecodeJob(model, true, DType.FLOAT32, prompt, 1, 0, 1));
    assertFalse(loaded.containsKey("token_ids"));
    assertTrue((Double) loaded.get("first_token_seconds") >= (Double) loaded.get("load_seconds"));
  }
}
