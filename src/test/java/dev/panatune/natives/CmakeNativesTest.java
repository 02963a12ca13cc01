package dev.panatune.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What cmake/Natives.cmake says; it looks in the same places as {@link NativesLocator}. */
class CmakeNativesTest {
  @TempDir private Path root;

  private record Outcome(int code, String output) {}

  private Outcome configure(Map<String, String> environment) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
            "cmake",
            "-S",
            Path.of("native").toAbsolutePath().toString(),
            "-B",
            root.resolve("build").toString(),
            "-DPANATUNE_CLASSES=" + root.resolve("classes"));
    builder.environment().keySet().removeAll(NativesLocator.VARIABLES);
    builder.environment().put("PANATUNE_HOME", root.resolve("home").toString());
    builder.environment().putAll(environment);
    Process process = builder.redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    // CMake breaks its lines where it likes.
    return new Outcome(process.waitFor(), output.replaceAll("\\s+", " "));
  }

  private Path torch(String version) throws IOException {
    Path torch = root.resolve("site/torch");
    Files.createDirectories(torch.resolve("lib"));
    Files.createDirectories(torch.resolve("include/torch/csrc/api/include"));
    Files.writeString(torch.resolve("version.py"), "__version__ = '" + version + "'\n");
    return torch;
  }

  @Test
  void refusesAnotherVersionAndNamesBoth() throws Exception {
    Path torch = torch("2.9.1+cpu");

    Outcome outcome = configure(Map.of("PANATUNE_TORCH", torch.toString()));

    assertNotEquals(0, outcome.code());
    assertTrue(outcome.output().contains("libtorch 2.9.1+cpu in " + torch), outcome::output);
    assertTrue(outcome.output().contains("than libtorch 2.13.0"), outcome::output);
  }

  @Test
  void takesThePinnedVersion() throws Exception {
    Outcome outcome = configure(Map.of("LIBTORCH", torch("2.13.0+cpu").toString()));

    assertEquals(0, outcome.code(), outcome::output);
  }

  @Test
  void refusesAFolderThatIsNoLibtorch() throws Exception {
    Outcome outcome = configure(Map.of("PANATUNE_TORCH", root.toString()));

    assertNotEquals(0, outcome.code());
    assertTrue(outcome.output().contains("No libtorch in " + root), outcome::output);
  }

  @Test
  void saysHowToGetItWhereItCannotFetch() throws Exception {
    Outcome outcome = configure(Map.of());

    assertNotEquals(0, outcome.code());
    assertTrue(outcome.output().contains("panatune setup"), outcome::output);
  }
}
