package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.StrictJson;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What is saved here, against what PEFT's {@code save_pretrained} writes of the same tensors. */
public final class SavedAdapters {
  /** What does not say how an adapter computes. */
  private static final Set<String> ABOUT =
      Set.of(
          "auto_mapping",
          "base_model_name_or_path",
          "inference_mode",
          "peft_version",
          "revision",
          "task_type");

  private SavedAdapters() {}

  /** PEFT reads the same from both: the same bytes of tensors, and a configuration of its own. */
  public static void assertSame(Path theirs, Path ours) {
    assertSameBytes(theirs.resolve(AdapterFiles.WEIGHTS), ours.resolve(AdapterFiles.WEIGHTS));
    Map<String, Object> expected = config(theirs);
    Map<String, Object> found = config(ours);
    Map<?, ?> defaults =
        (Map<?, ?>) StrictJson.readObject(defaults()).get((String) found.get("peft_type"));
    assertTrue(expected.keySet().containsAll(found.keySet()), "a key that PEFT does not know");
    Set<String> keys = new TreeSet<>(expected.keySet());
    keys.removeAll(ABOUT);
    // The layer knows how its weight lies; both sides correct what is said.
    keys.remove("fan_in_fan_out");
    for (String key : keys) {
      // PEFT takes what a file leaves out for its default.
      assertEquals(
          listed(key, expected.get(key)),
          listed(key, found.getOrDefault(key, defaults.get(key))),
          key);
    }
  }

  /** One layer may be a number or a list. */
  private static Object listed(String key, Object value) {
    return key.equals("layers_to_transform") && value instanceof Number ? List.of(value) : value;
  }

  private static Map<String, Object> config(Path directory) {
    return new TreeMap<>(StrictJson.readObject(directory.resolve(AdapterFiles.CONFIG)));
  }

  private static void assertSameBytes(Path theirs, Path ours) {
    try {
      assertEquals(-1, Files.mismatch(theirs, ours), "the first byte in which the files differ");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path defaults() {
    try {
      return Path.of(SavedAdapters.class.getResource("/methods/defaults.json").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
