"""The 2-D GAN lab, whose game is played in the browser (`components/duel.js`, its arithmetic in `gan.js`); here is what it begins with.

- `settings`: what can be chosen, and within which bounds.
- `situations`: prepared beginnings, and the cure for each that needs one.
- `state`: where a visitor is, in an address.
- `points`: the library's point sets, as the browser gets them.
- `patient`: what the GAN doctor hears of a game in the browser, and its cures in the lab's settings.
"""
