package dev.panatune.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFileTest {
  @TempDir Path directory;

  private Path file(String yaml) throws IOException {
    return Files.writeString(directory.resolve("run.yaml"), yaml);
  }

  private String failure(Path file, String... overrides) {
    return assertThrows(ConfigurationException.class, () -> RunFile.read(file, List.of(overrides)))
        .getMessage();
  }

  @Test
  void numbersInScientificNotationAreNumbers() throws IOException {
    Path file = file("training: {learning_rate: 5e-4, max_steps: 40}\n");
    assertEquals(
        Map.of("learning_rate", 5e-4, "max_steps", 40),
        RunFile.read(file, List.of()).get("training"));
  }

  @Test
  void anOverrideReplacesAddsAndPicksFromLists() throws IOException {
    Path file = file("data:\n  train:\n  - path: a.jsonl\n  - path: b.jsonl\n");
    Map<String, Object> read =
        RunFile.read(
            file, List.of("data.train.1.path=c.jsonl", "training.learning_rate=1e-4", "seed=7"));
    assertEquals(
        Map.of(
            "data",
            Map.of("train", List.of(Map.of("path", "a.jsonl"), Map.of("path", "c.jsonl"))),
            "training",
            Map.of("learning_rate", 1e-4),
            "seed",
            7),
        read);
  }

  @Test
  void anOverrideMayHoldAnEqualsSignAndAList() throws IOException {
    Path file = file("model: {path: x}\n");
    Map<String, Object> read =
        RunFile.read(file, List.of("model.path=pypi:a==1/b.gguf", "peft.target_modules=[q, v]"));
    assertEquals(Map.of("path", "pypi:a==1/b.gguf"), read.get("model"));
    assertEquals(Map.of("target_modules", List.of("q", "v")), read.get("peft"));
  }

  @Test
  void badOverridesAreNamed() throws IOException {
    Path file = file("seed: 1\ndata: {train: [a]}\n");
    assertTrue(failure(file, "seed").contains("section.key=value"));
    assertTrue(failure(file, "seed.x=1").contains("plain value"));
    assertTrue(failure(file, "data.train.1=b").contains("index below 1"));
  }

  @Test
  void aMissingFileAndBrokenYamlAreNamed() throws IOException {
    assertTrue(failure(directory.resolve("none.yaml")).contains("no run file at"));
    String broken = failure(file("model: {path: [x\n"));
    assertTrue(broken.contains("run.yaml is not valid YAML"), broken);
    assertTrue(broken.contains("line 2"), broken);
    assertEquals(1, broken.lines().count());
    assertTrue(failure(file("a: 1\na: 2\n")).contains("duplicate key a"));
    assertTrue(failure(file("- a\n")).contains("is not a mapping"));
  }

  @Test
  void whatIsWrittenReadsBackTheSame() throws IOException {
    Map<String, Object> read =
        RunFile.read(
            file("a: 'yes: no'\nb: [1, 2.5, true]\nc: {d: '3', e: null}\nf: \"x\\ny\"\n"),
            List.of());
    assertEquals(read, RunFile.read(file(RunFile.write(read)), List.of()));
  }
}
