/**
 * A small Jinja that renders chat templates as transformers does: the same white space rules, the
 * same Python semantics of values, the same sandbox, and bounds on work, memory and time.
 *
 * <p>Values are plain data: {@code null}, {@link java.lang.Boolean}, {@link java.lang.Long}, {@link
 * java.lang.Double}, {@link java.lang.String}, {@link java.util.List}, {@link java.util.Map} and
 * the few kinds of this package (tuples, ranges, generators, namespaces, callables). A template
 * cannot reach a Java object.
 */
package dev.panatune.text.jinja;
