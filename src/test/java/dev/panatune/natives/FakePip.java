package dev.panatune.natives;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A pip that serves wheels from a folder, a natives.lock that pins them, and a fetcher in a process
 * of its own that sees only these.
 */
final class FakePip {
  private static final String SCRIPT =
      """
      #!/bin/bash
      set -eu
      if [ "$1" = --version ]; then echo 'pip 99.0'; exit 0; fi
      while [ $# -gt 0 ]; do
        case "$1" in
          --dest) dest=$2; shift ;;
          --requirement) package=$(cut -d= -f1 "$2"); shift ;;
        esac
        shift
      done
      echo "$package" >> "$SERVED/calls"
      if [ -e "$SERVED/$package.hang" ]; then echo half > "$dest/$package.whl"; exec sleep 600; fi
      if [ -e "$SERVED/$package.fail" ]; then echo 'ERROR: no such mirror' >&2; exit 7; fi
      sleep 0.3
      cp "$SERVED/$package.whl" "$dest/"
      """;

  private final Path root;
  private final Path home;
  private final StringBuilder lock = new StringBuilder();

  FakePip(Path root) throws IOException {
    this.root = root;
    this.home = root.resolve("home with spaces");
    Path pip = Files.createDirectories(root.resolve("bin")).resolve("pip3");
    Files.writeString(pip, SCRIPT);
    pip.toFile().setExecutable(true);
    Files.createDirectories(served());
  }

  Path home() {
    return home;
  }

  Path served() {
    return root.resolve("served");
  }

  List<String> calls() throws IOException {
    Path calls = served().resolve("calls");
    return Files.exists(calls) ? Files.readAllLines(calls) : List.of();
  }

  /** Serves a wheel and pins it. */
  void add(String group, String name, Map<String, String> files, String unpacked)
      throws IOException {
    byte[] wheel = zip(files);
    Files.write(served().resolve(name + ".whl"), wheel);
    lock.append(
        "%s %s %s==1.0 any %s %s%n"
            .formatted(
                group,
                Platform.current(),
                name,
                HexFormat.of().formatHex(Sha256.of(wheel)),
                unpacked));
  }

  /** Starts a fetcher; {@code path} is its PATH. */
  Process fetch(String path) throws IOException {
    Path resources = Files.createDirectories(root.resolve("classes/dev/panatune/natives"));
    Files.writeString(resources.resolve("natives.lock"), lock);
    Path classes = root.resolve("classes");
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            classes + ":" + System.getProperty("java.class.path"),
            NativesFetcher.class.getName());
    builder.environment().keySet().removeAll(NativesLocator.VARIABLES);
    builder.environment().put("PANATUNE_HOME", home.toString());
    builder.environment().put("SERVED", served().toString());
    builder.environment().put("PATH", path);
    return builder.redirectErrorStream(true).start();
  }

  Process fetch() throws IOException {
    return fetch(root.resolve("bin") + ":/usr/bin:/bin");
  }

  /** Waits for the end of a fetcher. */
  static Outcome outcome(Process process) throws IOException, InterruptedException {
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Outcome(process.waitFor(), output);
  }

  record Outcome(int code, String output) {}

  private static byte[] zip(Map<String, String> files) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (Map.Entry<String, String> file : files.entrySet()) {
        zip.putNextEntry(new ZipEntry(file.getKey()));
        zip.write(file.getValue().getBytes(StandardCharsets.UTF_8));
      }
    }
    return bytes.toByteArray();
  }
}
