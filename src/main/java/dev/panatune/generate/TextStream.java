package dev.panatune.generate;

import dev.panatune.text.StreamingDecoder;
import java.util.List;
import java.util.function.Consumer;

/** Turns tokens into text, passes on what is certain, and gathers it. */
final class TextStream {
  private final StreamingDecoder decoder;
  private final StopStrings stops;
  private final Consumer<String> sink;
  private final StringBuilder text = new StringBuilder();

  TextStream(StreamingDecoder decoder, List<String> stopStrings, Consumer<String> sink) {
    this.decoder = decoder;
    this.stops = new StopStrings(stopStrings);
    this.sink = sink;
  }

  /** Takes a token and returns whether a stop string has come up. */
  boolean accept(int id) {
    pass(stops.append(decoder.append(id)));
    return stops.stopped();
  }

  /** Passes on what was held back, and returns the whole text. */
  String finish() {
    pass(stops.append(decoder.finish()));
    pass(stops.finish());
    return text.toString();
  }

  private void pass(String piece) {
    if (!piece.isEmpty()) {
      text.append(piece);
      sink.accept(piece);
    }
  }
}
