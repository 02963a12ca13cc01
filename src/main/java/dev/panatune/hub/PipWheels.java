package dev.panatune.hub;

import dev.panatune.natives.Pip;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/** Wheels that pip downloads: it knows the user's index, mirrors, proxies and certificates. */
final class PipWheels implements WheelSource {
  private final Consumer<String> progress;

  PipWheels(Consumer<String> progress) {
    this.progress = progress;
  }

  @Override
  public Path fetch(String requirement, Path folder) throws IOException {
    return Pip.find()
        .orElseThrow(() ->
            new IOException("pip was not found; install it (Debian: apt-get install python3-pip)"))
        .download(requirement, List.of(), folder, progress);
  }
}
