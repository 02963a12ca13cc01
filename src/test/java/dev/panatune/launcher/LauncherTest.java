package dev.panatune.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** bin/panatune and bin/find-jdk, in a copy of the tree with a Maven and JDKs that only tell. */
class LauncherTest {
  private static final String JAVA = "#!/bin/bash\nprintf '%s\\n' \"$0\" \"$@\"\n";
  private static final String MAVEN =
      """
      #!/bin/bash
      set -eu
      echo run >> "$ROOT/maven.calls"
      [ ! -e "$ROOT/maven.fails" ] || exit 1
      mkdir -p "$ROOT/target/classes"
      printf '%s' "$ROOT/a.jar:$ROOT/b.jar" > "$ROOT/target/classpath"
      """;

  @TempDir private Path temporary;

  private Path root;
  private Path jdks;

  @BeforeEach
  void copyTree() throws IOException {
    root = temporary.resolve("a folder with spaces");
    jdks = temporary.resolve("jdks");
    Files.createDirectories(jdks);
    for (String folder : List.of("bin", "bindings", "cmake", "native", "src/main", "maven")) {
      Files.createDirectories(root.resolve(folder));
    }
    for (String script : List.of("bin/panatune", "bin/find-jdk")) {
      executable(root.resolve(script), Files.readString(Path.of(script)));
    }
    for (String file : List.of("pom.xml", "a.jar", "b.jar")) {
      Files.createFile(root.resolve(file));
    }
    for (String tool : List.of("mvn", "cmake", "c++")) {
      executable(root.resolve("maven").resolve(tool), MAVEN);
    }
  }

  private static void executable(Path file, String script) throws IOException {
    Files.writeString(file, script);
    assertTrue(file.toFile().setExecutable(true));
  }

  private Path jdk(String name, String version) throws IOException {
    Path home = jdks.resolve(name);
    Files.createDirectories(home.resolve("bin"));
    executable(home.resolve("bin/java"), JAVA);
    executable(home.resolve("bin/javac"), JAVA);
    Files.writeString(
        home.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  private record Outcome(int code, List<String> out, List<String> err) {}

  private Outcome run(Map<String, String> environment, Path program, String... arguments)
      throws Exception {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    command.addAll(List.of(arguments));
    Path err = temporary.resolve("err");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(err.toFile()).directory(temporary.toFile());
    builder.environment().remove("JAVA_HOME");
    builder.environment().remove("PANATUNE_JAVA_OPTS");
    builder.environment().put("ROOT", root.toString());
    builder.environment().put("HOME", temporary.toString());
    builder.environment().put("PATH", root.resolve("maven") + ":/usr/bin:/bin");
    builder.environment().put("PANATUNE_JDK_FOLDER", jdks.toString());
    builder.environment().putAll(environment);
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Outcome(process.waitFor(), out.lines().toList(), Files.readAllLines(err));
  }

  private Outcome launch(String... arguments) throws Exception {
    return run(Map.of(), root.resolve("bin/panatune"), arguments);
  }

  private int builds() throws IOException {
    Path calls = root.resolve("maven.calls");
    return Files.exists(calls) ? Files.readAllLines(calls).size() : 0;
  }

  @Test
  void saysInTwoLinesThatThereIsNoJdk() throws Exception {
    jdk("old", "17.0.1");

    Outcome outcome = launch("doctor");

    assertEquals(1, outcome.code());
    assertEquals(List.of(), outcome.out());
    assertEquals(2, outcome.err().size(), outcome::toString);
    assertTrue(outcome.err().get(0).contains("JDK 25 or newer"), outcome::toString);
    assertTrue(outcome.err().get(1).contains("JAVA_HOME"), outcome::toString);
    assertEquals(0, builds());
  }

  @Test
  void findsAJdkByItself() throws Exception {
    Path findJdk = root.resolve("bin/find-jdk");
    Path old = jdk("old", "21.0.2");
    Path fitting = jdk("fitting", "25");
    assertEquals(List.of(fitting.toString()), run(Map.of(), findJdk, "25").out());

    Path newest = jdk("newest", "26.0.1");
    assertEquals(List.of(newest.toString()), run(Map.of(), findJdk, "25").out());
    assertEquals(
        List.of(fitting.toString()),
        run(Map.of("JAVA_HOME", fitting.toString()), findJdk, "25").out());
    assertEquals(
        List.of(newest.toString()), run(Map.of("JAVA_HOME", old.toString()), findJdk, "25").out());

    Path link = Files.createDirectories(temporary.resolve("path")).resolve("javac");
    Files.createSymbolicLink(link, fitting.resolve("bin/javac"));
    assertEquals(
        List.of(fitting.toString()),
        run(Map.of("PATH", link.getParent() + ":/usr/bin:/bin"), findJdk, "25").out());
  }

  @Test
  void takesNoJreForAJdk() throws Exception {
    Files.delete(jdk("jre", "25").resolve("bin/javac"));

    assertEquals(1, launch("doctor").code());
  }

  @Test
  void passesArgumentsOnFromAnyFolderThroughALink() throws Exception {
    Path home = jdk("fitting", "25.0.3");
    Path link = Files.createSymbolicLink(temporary.resolve("link"), root.resolve("bin/panatune"));

    Outcome outcome = run(Map.of(), link, "train", "my run.yaml", "--set", "a=*");

    assertEquals(0, outcome.code(), outcome::toString);
    assertEquals(home.resolve("bin/java").toString(), outcome.out().getFirst());
    int main = outcome.out().indexOf("dev.panatune.cli.Main");
    assertEquals(
        List.of("train", "my run.yaml", "--set", "a=*"),
        outcome.out().subList(main + 1, outcome.out().size()));
    assertEquals(
        root + "/target/classes:" + root + "/a.jar:" + root + "/b.jar",
        outcome.out().get(main - 1));
    assertTrue(outcome.out().contains("--enable-native-access=ALL-UNNAMED"), outcome::toString);
    assertTrue(outcome.out().stream().anyMatch(o -> o.startsWith("-Xmx")), outcome::toString);
  }

  @Test
  void buildsOnFirstUseAndWhenSourcesAreNewer() throws Exception {
    jdk("fitting", "25");
    Outcome first = launch("doctor");
    assertTrue(first.err().getFirst().startsWith("Building Panatune"), first::toString);
    assertEquals(1, builds());

    assertEquals(List.of(), launch("doctor").err());
    assertEquals(1, builds());

    Path source = Files.createFile(root.resolve("src/main/New.java"));
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(5)));
    launch("doctor");
    assertEquals(2, builds());
  }

  @Test
  void buildsAnewWhereALibraryWentMissing() throws Exception {
    jdk("fitting", "25");
    launch("doctor");
    Files.delete(root.resolve("b.jar"));
    launch("doctor");
    assertEquals(2, builds());
  }

  @Test
  void neverRunsWhatCouldNotBeBuilt() throws Exception {
    jdk("fitting", "25");
    Path fails = Files.createFile(root.resolve("maven.fails"));

    Outcome outcome = launch("doctor");

    assertEquals(1, outcome.code());
    assertEquals(List.of(), outcome.out());
    assertTrue(outcome.err().getLast().contains("Building Panatune failed"), outcome::toString);
    assertEquals(1, launch("doctor").code());
    Files.delete(fails);
    assertEquals(0, launch("doctor").code());
    assertEquals(3, builds());
  }

  @Test
  void startsFromTheClassCacheWhereThereIsOne() throws Exception {
    jdk("fitting", "25");
    launch("doctor");
    Path cache = Files.createFile(root.resolve("target/panatune.aot"));
    Path jar = Files.createFile(root.resolve("target/panatune.jar"));

    Outcome outcome = launch("doctor");

    assertTrue(outcome.out().contains("-XX:AOTCache=" + cache), outcome::toString);
    int main = outcome.out().indexOf("dev.panatune.cli.Main");
    assertEquals(jar + ":" + root + "/a.jar:" + root + "/b.jar", outcome.out().get(main - 1));

    Files.delete(jar);
    assertFalse(launch("doctor").out().contains("-XX:AOTCache=" + cache));
  }

  @Test
  void namesTheToolsThatAreMissing() throws Exception {
    jdk("fitting", "25");
    Path few = Files.createDirectories(temporary.resolve("few tools"));
    for (String tool :
        List.of("bash", "dirname", "readlink", "sed", "find", "head", "mkdir", "touch", "cat")) {
      executable(few.resolve(tool), "#!/bin/sh\nexec /usr/bin/" + tool + " \"$@\"\n");
    }

    Outcome outcome =
        run(
            Map.of("PATH", few.toString()),
            Path.of("/bin/bash"),
            root.resolve("bin/panatune").toString(),
            "doctor");

    assertEquals(1, outcome.code());
    assertTrue(
        outcome.err().getFirst().endsWith("missing for it: mvn cmake c++."), outcome::toString);
    assertFalse(Files.exists(root.resolve("maven.calls")));
  }
}
