/** Line icons of the navigation and of buttons, drawn in a square of 20. */
const paths = {
  live: "M10 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 10S5 4.5 10 4.5 17.5 10 17.5 10 15 15.5 10 15.5 2.5 10 2.5 10Z",
  alerts: "M10 3a4.5 4.5 0 0 0-4.5 4.5c0 4-2 5.5-2 5.5h13s-2-1.5-2-5.500A4.5 4.5 0 0 0 10 3ZM8.5 16a1.6 1.6 0 0 0 3 0",
  people: "M7.5 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2 16.500c0-3 2.5-4.5 5.5-4.500s5.5 1.5 5.5 4.500M13 3.800a3 3 0 0 1 0 5.400M15 12.400c1.9.6 3 2 3 4.1",
  unknowns: "M10 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM4 16.500c0-3 2.7-4.5 6-4.500M14 12.500c0-2.5 3.5-2 3.5.2 0 1.3-1.7 1.5-1.7 2.800M15.8 17.500v.01",
  search: "M9 15a6 6 0 1 0 0-12 6 6 0 0 0 0 12ZM13.5 13.5 17 17",
  upload: "M10 13V3.500M6 7l4-4 4 4M3.5 12.500v3a1 1 0 0 0 1 1h11a1 1 0 0 0 1-1v-3",
  health: "M2.5 10.500h3l2-5.5 4 10 2.2-4.500h3.8",
  models: "M10 2.5 17 6v8l-7 3.500L3 14V6l7-3.500ZM3 6l7 3.500L17 6M10 9.500v8",
  rules: "M3 5.500h8M15 5.500h2M3 14.500h2M9 14.500h8M13 7.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM7 16.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  audit: "M10 2.5 16.5 5v4.500c0 4-2.7 6.7-6.5 8-3.8-1.3-6.5-4-6.5-8V5L10 2.500ZM7.2 9.800l2 2 3.6-3.8",
  menu: "M3 5.500h14M3 10h14M3 14.500h14",
  close: "M5 5l10 10M15 5 5 15",
  pause: "M7 4.500v11M13 4.500v11",
  play: "M6.5 4v12l9-6-9-6Z",
  sound: "M3.5 8v4h3l4 3.500v-11L6.5 8h-3ZM13.5 7.500a3.5 3.5 0 0 1 0 5M15.7 5.300a6.6 6.6 0 0 1 0 9.4",
  mute: "M3.5 8v4h3l4 3.500v-11L6.5 8h-3ZM13.5 8l4 4M17.5 8l-4 4",
  theme: "M10 3v14a7 7 0 0 0 0-14ZM10 3a7 7 0 1 0 0 14",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
