// A process that keeps one CPU busy until it is killed; it sends one message when it begins.

process.send?.("burning");
for (let i = 0; ; i++) Math.sqrt(i);
