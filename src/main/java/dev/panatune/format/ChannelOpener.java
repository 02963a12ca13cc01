package dev.panatune.format;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Opens the file that is written to; tests put a disk that fails in its place. */
@FunctionalInterface
interface ChannelOpener {
  /** Creates a file that must not exist yet. */
  ChannelOpener NEW_FILE =
      path -> FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);

  FileChannel open(Path path) throws IOException;
}
