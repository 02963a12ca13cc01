package dev.panatune.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.PrintWriter;
import java.util.Map;

/** Prints the one JSON object that {@code --json} promises on standard output. */
final class JsonOutput {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private JsonOutput() {}

  static void print(PrintWriter out, Map<String, ?> object) {
    try {
      out.println(JSON.writeValueAsString(object));
      out.flush();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("not JSON: " + object, e);
    }
  }
}
