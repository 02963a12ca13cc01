package dev.panatune.text.jinja;

import java.util.List;

/**
 * What {@code keys()}, {@code values()} and {@code items()} of a mapping give.
 *
 * @param method the name of the method
 * @param items its elements
 */
record DictView(String method, List<Object> items) {}
