package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.PrintWriter;
import java.io.StringWriter;

/**
 * What a command did.
 *
 * @param code the exit code
 * @param out its answer
 * @param err progress and errors
 */
record Outcome(int code, String out, String err) {
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  /** Runs a command in this process. */
  static Outcome of(Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] texts = new String[arguments.length];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = arguments[i].toString();
    }
    int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), texts);
    return new Outcome(code, out.toString(), err.toString());
  }

  /** Expects that all went well. */
  Outcome succeeded() {
    assertEquals(0, code, err);
    return this;
  }

  /** Expects an error of one or two plain lines that has all these parts. */
  Outcome failed(int expectedCode, String... parts) {
    assertEquals(expectedCode, code, err + out);
    String error = err.substring(err.indexOf("error: "));
    assertTrue(error.strip().lines().count() <= 2, error);
    for (String part : parts) {
      assertTrue(error.contains(part), "no '" + part + "' in: " + error);
    }
    return this;
  }

  /** The one JSON object that standard output must be. */
  JsonNode json() {
    try {
      return JSON.readTree(succeeded().out);
    } catch (JsonProcessingException e) {
      throw new AssertionError("not one JSON object: " + out, e);
    }
  }
}
