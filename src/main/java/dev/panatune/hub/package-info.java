/** Where models and data come from: paths, and files that Python packages carry. */
package dev.panatune.hub;
